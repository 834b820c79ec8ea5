package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// WriteTable writes a table of the checks, and below it what to do.
func (r Report) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "CHECK\tSTATUS\tFOUND") // its errors come with Flush
	for _, c := range r.Checks {
		fmt.Fprintf(table, "%s\t%s\t%s\n", c.Name, c.Status, c.Found)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	heading := "\nTo do:\n"
	for _, c := range r.Checks {
		if c.Do == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s  %s: %s\n", heading, c.Name, c.Do); err != nil {
			return err
		}
		heading = ""
	}
	return nil
}

// SchemaVersion is of the JSON, whose fields are an API.
const SchemaVersion = "rightsize.doctor/v1"

// WriteJSON writes all of it.
func (r Report) WriteJSON(w io.Writer) error {
	type check struct {
		Name   string `json:"name"`
		Status Status `json:"status"`
		Found  string `json:"found"`
		Do     string `json:"do,omitempty"`
	}
	out := struct {
		SchemaVersion string    `json:"schemaVersion"`
		Source        string    `json:"source"`
		Status        Status    `json:"status"`
		From          time.Time `json:"from"`
		Until         time.Time `json:"until"`
		Window        string    `json:"window"`
		Checks        []check   `json:"checks"`
	}{
		SchemaVersion: SchemaVersion, Source: r.Source, Status: r.Worst(),
		From: r.Window.Start().UTC(), Until: r.Window.Until.UTC(), Window: recommender.ShortDuration(r.Window.Length), Checks: []check{},
	}
	for _, c := range r.Checks {
		out.Checks = append(out.Checks, check(c))
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(out)
}
