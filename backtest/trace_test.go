package backtest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// read reads a trace whole.
func read(text string) (cs []Container, err error) {
	err = ReadTrace(strings.NewReader(text), func(c Container) error {
		cs = append(cs, c)
		return nil
	})
	return cs, err
}

func TestReadTrace(t *testing.T) {
	const text = TraceColumns + "\n" +
		"b,1000,0.5,100\n" +
		"b,1300,,200\n" +
		"b,1600,0.25,\n" +
		"b,2500,0,1e3\r\n" +
		"a,60,1,\n"
	got, err := read(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Name != "b" || got[1].Name != "a" || got[0].Step != 5*time.Minute || got[1].Step != time.Minute {
		t.Fatalf("ReadTrace = %+v", got)
	}
	want := [recommender.NumResources]Points{
		recommender.CPU:    {[]int64{1000, 1600, 2500}, []float64{0.5, 0.25, 0}},
		recommender.Memory: {[]int64{1000, 1300, 2500}, []float64{100, 200, 1000}},
	}
	if !reflect.DeepEqual(got[0].Pods[0].Usage, want) {
		t.Errorf("usage of b = %v, want %v", got[0].Pods[0].Usage, want)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	again, err := read(packed.String())
	if err != nil || !reflect.DeepEqual(again, got) {
		t.Errorf("gzip'd: %+v, %v", again, err)
	}
	if _, err := read(packed.String()[:packed.Len()-9]); err == nil {
		t.Error("a truncated gzip file is read without an error")
	}
	if _, err := read("\x1f\x8bgarbage"); err == nil || !strings.Contains(err.Error(), "cannot be unpacked") {
		t.Errorf("what only begins as gzip does: %v", err)
	}
}

// A line of which the end is missing was taken for a wrong one: "has 2 columns: want 4".
func TestReadTraceThatIsCutOff(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprintln(z, TraceColumns)
	for i := range 20000 {
		fmt.Fprintf(z, "a,%d,0.%d,%d\n", 60*(i+1), i, i*i)
	}
	_ = z.Close()
	for cut := range 200 {
		_, err := read(packed.String()[:packed.Len()/2+cut])
		if err == nil || !strings.HasPrefix(err.Error(), "it is cut off about line ") {
			t.Fatalf("cut off after half and %d bytes: %v", cut, err)
		}
	}
}

// Every line that cannot be meant is refused with its number.
func TestReadTraceRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "it is empty"},
		{"only columns", TraceColumns + "\n", "no line but the first"},
		{"other columns", "a,b\n", "line 1: the columns are"},
		{"too few", TraceColumns + "\na,1,2\n", "line 2: \"a,1,2\" has 3 columns"},
		{"quotes", TraceColumns + "\n\"a,b\",1,2,3\n", "line 2: "},
		{"no name", TraceColumns + "\n,1,2,3\n", "line 2: series is empty"},
		{"no time", TraceColumns + "\na,now,2,3\n", "line 2: unix_ts is \"now\""},
		{"milliseconds", TraceColumns + "\na,1700000000000,2,3\n", "line 2: unix_ts"},
		{"before 1970", TraceColumns + "\na,-5,2,3\n", "line 2: unix_ts"},
		{"NaN", TraceColumns + "\na,1,NaN,3\n", "line 2: cpu_cores is \"NaN\""},
		{"infinite", TraceColumns + "\na,1,1,inf\n", "line 2: mem_bytes is \"inf\""},
		{"negative", TraceColumns + "\na,1,-1,1\n", "line 2: cpu_cores is \"-1\""},
		{"huge", TraceColumns + "\na,1,1,1e300\n", "line 2: mem_bytes"},
		{"duplicate", TraceColumns + "\na,1,1,1\na,1,1,1\n", "line 3: series \"a\" has the time 1 twice"},
		{"backwards", TraceColumns + "\na,5,1,1\na,4,1,1\n", "line 3: series \"a\" goes back in time, from 5 to 4"},
		{"again", TraceColumns + "\na,5,1,1\nb,5,1,1\na,6,1,1\n", "line 4: series \"a\" began further up"},
		{"no line breaks", TraceColumns + "\n" + strings.Repeat("x", 2*maxTraceLine), "line 2: longer than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := read(test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ReadTrace: %v, want an error with %q", err, test.want)
			}
		})
	}
}

// A huge file passes by a series at a time, and a visitor's error ends the reading.
func TestReadTraceStreams(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		fmt.Fprintln(w, TraceColumns)
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(w, "series%d,1,1,1\n", i); err != nil {
				return // nobody reads on
			}
		}
	}()
	enough := errors.New("enough")
	n := 0
	err := ReadTrace(r, func(Container) error {
		if n++; n == 1000 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 1000 {
		t.Errorf("ReadTrace: %v after %d series", err, n)
	}
	_ = r.Close()
}

func FuzzReadTrace(f *testing.F) {
	f.Add(TraceColumns + "\na,1,1,1\na,2,,\nb,1,0.5,1e9\n")
	f.Add(TraceColumns + "\na,1,NaN,1\n")
	f.Add("\x1f\x8b")
	f.Fuzz(func(t *testing.T, text string) {
		seen := map[string]bool{}
		err := ReadTrace(strings.NewReader(text), func(c Container) error {
			if seen[c.Name] || c.Name == "" || c.Step <= 0 {
				t.Errorf("series %q, step %s", c.Name, c.Step)
			}
			seen[c.Name] = true
			for r := range recommender.NumResources {
				p := c.Pods[0].Usage[r]
				for i, v := range p.Values {
					if !(v >= 0 && v <= maxTraceValue) || i > 0 && p.Times[i] <= p.Times[i-1] {
						t.Errorf("%s %s: %v", c.Name, r, p)
					}
				}
			}
			// Whatever can be read can be judged.
			Plan{Train: 2 * time.Hour, Test: time.Hour, MinTrain: time.Hour}.Run(c, Policies(recommender.DefaultPolicy()))
			return nil
		})
		if err != nil && strings.ContainsAny(err.Error(), "\n\x00\x1b") {
			t.Errorf("an error of several lines: %q", err)
		}
	})
}
