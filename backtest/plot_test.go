package backtest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// The plot is XML, names each policy with figures once a panel, and escapes what others have named.
func TestWriteSVG(t *testing.T) {
	r := report(8)
	r.Source = `<script>&"`
	var out bytes.Buffer
	if err := WriteSVG(&out, []Report{r}); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	decoder := xml.NewDecoder(&out)
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch v := token.(type) {
		case xml.StartElement:
			counts["<"+v.Name.Local]++
		case xml.CharData:
			counts[strings.TrimSpace(string(v))]++
		}
	}
	if counts["<script"] > 0 || counts[`<script>&": memory`] != 1 || counts[`<script>&": cpu`] != 1 {
		t.Errorf("texts: %v", counts)
	}
	for _, p := range r.Policies {
		want := 2
		if p.Censored {
			want = 0 // nothing is declared
		}
		if counts[p.Name] != want {
			t.Errorf("%s is named %d times, want %d", p.Name, counts[p.Name], want)
		}
	}
	if counts["<circle"] != 2*(len(r.Policies)-1) {
		t.Errorf("%d circles", counts["<circle"])
	}
}

// Nothing to draw, and one container without intervals, are drawn all the same.
func TestWriteSVGOfLittle(t *testing.T) {
	for _, reports := range [][]Report{nil, {report(1)}, {report(2)}} {
		var out bytes.Buffer
		if err := WriteSVG(&out, reports); err != nil || strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "Inf") || !strings.HasSuffix(out.String(), "</svg>\n") {
			t.Errorf("%d reports: %v\n%s", len(reports), err, out.String())
		}
	}
	var out bytes.Buffer
	if err := WriteSVG(&out, []Report{report(1)}); err != nil || !strings.Contains(out.String(), ">not enough data to draw<") {
		t.Errorf("%v: a plot of nothing does not say so: %s", err, out.String())
	}
}
