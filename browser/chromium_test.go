package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	cdplog "github.com/chromedp/cdproto/log"

	"github.com/rightsize/rightsize/report"
)

// tab is a page in a Chromium of its own, with a user's folder of its own, which ends with its test.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string

	site string // of served pages: what is asked for there is no fault, and elsewhere is

	mu       sync.Mutex
	says     []string // what the console got
	requests []string // the addresses that were asked for, the page's own aside
}

// open shows a report. When the test ends, the page must have asked for nothing but itself, and the console be empty,
// unless the test took what it says.
func open(t *testing.T, r report.Report) *tab {
	t.Helper()
	b := start(t)
	b.load(write(t, r))
	return b
}

// write gives the address of the file that the report was written to.
func write(t *testing.T, r report.Report) string {
	t.Helper()
	format, ok := report.Lookup("html")
	if !ok {
		t.Fatal("there is no format html")
	}
	var page bytes.Buffer
	if err := format.Write(&page, r, report.Options{}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, page.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + file
}

// patience is how long a whole test may take.
const patience = 2 * time.Minute

// start starts Chromium.
func start(t *testing.T) *tab {
	t.Helper()
	options, err := Options()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience) // the test's ends before Chromium could be closed
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	b := &tab{t: t}
	b.ctx, _ = chromedp.NewContext(ctx, chromedp.WithListener(b.hear))
	t.Cleanup(func() {
		b.wantQuiet()
		if err := chromedp.Cancel(b.ctx); err != nil { // killed, Chromium would leave its temporary files
			t.Errorf("closing Chromium: %v", err)
		}
		stop()
		cancel()
	})
	b.do(chromedp.Steps())
	call(b, network.Enable.Method, func() error { _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); return err })
	return b
}

// hear keeps what a page must not do.
func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		text, _ := json.Marshal(e.Args)
		b.says = append(b.says, "console: "+string(text))
	case *runtime.EventExceptionThrown:
		text, _ := json.Marshal(e.ExceptionDetails)
		b.says = append(b.says, "exception: "+string(text))
	case *cdplog.EventEntryAdded:
		b.says = append(b.says, "log: "+e.Entry.Text)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// takes gives what the console got, and forgets it.
func (b *tab) takes() (says []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	says, b.says = b.says, nil
	return says
}

func (b *tab) wantQuiet() {
	b.t.Helper()
	if says := b.takes(); len(says) > 0 {
		b.t.Errorf("the console got:\n%s", strings.Join(says, "\n"))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	page, _, _ := strings.Cut(b.url, "#")
	others := slices.DeleteFunc(slices.Clone(b.requests), func(url string) bool {
		own, _, _ := strings.Cut(url, "#")
		return own == page || b.site != "" && strings.HasPrefix(url, b.site+"/") || url == "data:,"
	})
	if len(others) > 0 {
		b.t.Errorf("the page asked for %q", others)
	}
}

// load goes to an address; one that differs behind the # alone is loaded anew too.
func (b *tab) load(url string) {
	b.t.Helper()
	b.url = url
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(url))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests = slices.DeleteFunc(b.requests, func(url string) bool { return url == "about:blank" })
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// call is for commands of the protocol that no step wraps.
func call(b *tab, what string, command func() error) {
	b.t.Helper()
	if err := command(); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// eval is what an expression is in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// prefers has the page believe that its reader likes "dark" or "light".
func (b *tab) prefers(scheme string) {
	b.t.Helper()
	call(b, "prefers-color-scheme", func() error {
		_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}
