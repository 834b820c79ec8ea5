package report

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

func workloads(items []scan.Item) (names []string) {
	for _, item := range items {
		names = append(names, item.ID.Workload)
	}
	return names
}

func TestShown(t *testing.T) {
	hideCPU := [recommender.NumResources]bool{recommender.CPU: true}
	for name, c := range map[string]struct {
		view View
		want string
	}{
		"everything":            {View{}, "agent api db idle naked young"},
		"the first by name":     {View{Top: 2}, "agent api"},
		"by severity":           {View{Sort: BySeverity}, "api naked agent db idle young"},
		"by severity of memory": {View{Sort: BySeverity, Hidden: hideCPU}, "api naked agent db idle young"},
		"the worst":             {View{Sort: BySeverity, Top: 1}, "api"},
		"by cpu":                {View{Sort: ByCPU}, "naked agent api db idle young"}, // 300m, 180m and 100m
		"by memory":             {View{Sort: ByMemory}, "naked api agent db idle young"},
		"more than there are":   {View{Top: 100}, "agent api db idle naked young"},
		"significant, errors":   {View{Significant: true}, "agent api db naked"},
	} {
		r := sample()
		r.View = c.view
		if got := strings.Join(workloads(r.Shown()), " "); got != c.want {
			t.Errorf("%s: shown are %s, want %s", name, got, c.want)
		}
		if got := workloads(r.Items); !slices.Equal(got, workloads(sample().Items)) {
			t.Errorf("%s: the report's own items are now %s", name, got)
		}
	}
}

// All formats show the same containers and resources, and no total is another for it.
func TestFormatsShowTheSame(t *testing.T) {
	for name, view := range map[string]View{
		"everything": {},
		"top":        {Sort: BySeverity, Top: 2},
		"memory":     {Hidden: [recommender.NumResources]bool{recommender.CPU: true}},
		"changes":    {Significant: true},
		"all three":  {Significant: true, Sort: ByMemory, Top: 3, Hidden: [recommender.NumResources]bool{recommender.CPU: true}},
	} {
		t.Run(name, func(t *testing.T) {
			r := sample()
			r.View = view
			var want []string
			for _, item := range r.Shown() {
				for _, res := range view.Resources() {
					want = append(want, item.ID.Ref()+" "+item.ID.Container+" "+res.String())
				}
			}
			for _, format := range []string{"table", "wide", "markdown"} {
				var got []string
				for line := range strings.Lines(render(t, format, r, Options{})) {
					if fields := strings.Fields(strings.ReplaceAll(line, "|", "")); len(fields) > 3 && strings.Contains(fields[0], "/") && (fields[2] == "cpu" || fields[2] == "memory") && !strings.HasPrefix(line, " ") {
						got = append(got, strings.Join(fields[:3], " "))
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s shows %q, want %q", format, got, want)
				}
			}
			if got := csvSubjects(t, r); !slices.Equal(got, want) {
				t.Errorf("csv shows %q, want %q", got, want)
			}
			checkWire(t, r, want)
		})
	}
}

func csvSubjects(t *testing.T, r Report) (subjects []string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(render(t, "csv", r, Options{}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		subjects = append(subjects, strings.ToLower(row[1])+"/"+row[2]+" "+row[3]+" "+row[4])
	}
	return subjects
}

func checkWire(t *testing.T, r Report, want []string) {
	t.Helper()
	var wire wireReport
	if err := json.Unmarshal([]byte(render(t, "json", r, Options{})), &wire); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range wire.Containers {
		for _, res := range []string{"cpu", "memory"} {
			if _, has := c.Resources[res]; has {
				got = append(got, strings.ToLower(c.Kind)+"/"+c.Workload+" "+c.Container+" "+res)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("json shows %q, want %q", got, want)
	}
	if s := wire.Selection; s.Containers != len(r.Items) || s.Shown != len(wire.Containers) {
		t.Errorf("the selection is %+v, want %d of %d", s, len(wire.Containers), len(r.Items))
	}
	for res, total := range wire.Totals {
		whole := sample().Totals()
		if res == "memory" && total.RequestedNow != whole[recommender.Memory].Now || res == "cpu" && total.RequestedNow != whole[recommender.CPU].Now {
			t.Errorf("%s = %+v, want what all containers request", res, total)
		}
	}
	if len(wire.Totals) != len(r.View.Resources()) {
		t.Errorf("totals of %v, want the shown resources'", wire.Totals)
	}
}

// What is left out is said, and that some of it has no advice: it is not taken for sound.
func TestSelectionIsSaid(t *testing.T) {
	r := sample()
	if text := render(t, "table", r, Options{}); strings.Contains(text, "Shown:") {
		t.Errorf("the table of everything speaks of a selection:\n%s", text)
	}
	r.View = View{Significant: true}
	if text, want := render(t, "table", r, Options{}), "\nShown: 4 of 6 containers: changes of at least 10% and 10m or 16Mi, dangers and errors; of those left out, 2 without advice; totals count all\n"; !strings.Contains(text, want) {
		t.Errorf("the table lacks %q:\n%s", want, text)
	}
	r.Least.Share, r.View.Top, r.View.Sort = 0.29, 1, ByMemory
	if text, want := render(t, "table", r, Options{}), "Shown: 1 of 6 containers by memory: changes of at least 29% and"; !strings.Contains(text, want) {
		t.Errorf("the table lacks %q:\n%s", want, text)
	}
}

// A report of which nothing is shown still says what it comes to.
func TestNothingShown(t *testing.T) {
	r := sample()
	r.Items = r.Items[3:4]
	r.View = View{Significant: true}
	if text := render(t, "table", r, Options{}); !strings.HasPrefix(text, "Shown: 0 of 1 container: ") {
		t.Errorf("table:\n%s", text)
	}
	if text := render(t, "markdown", r, Options{}); strings.Contains(text, "|") || !strings.Contains(text, "- Shown: 0 of 1 container: ") {
		t.Errorf("markdown:\n%s", text)
	}
}
