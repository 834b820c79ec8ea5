// Pictures takes those of the documents: of a report's page, light and dark, of the served pages, and of what a terminal got.
//
//	go run ./pictures -page report.html -serve "rightsize serve -n shop" -dir ../docs/pictures terminal.txt explain.txt
package main

import (
	"context"
	"flag"
	"fmt"
	"html"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/rightsize/rightsize/browser"
)

func main() {
	log.SetFlags(0)
	page := flag.String("page", "", "the report as html")
	command := flag.String("serve", "", "the command that serves the report, with its arguments")
	dir := flag.String("dir", "", "where the pictures go")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "pictures -page FILE -serve COMMAND -dir DIR [FILE.txt, what a terminal got, with its colours]...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if *page == "" || *dir == "" || *command == "" {
		log.Fatal("pictures: give -page, -serve and -dir")
	}
	if err := take(*page, *command, *dir, flag.Args()); err != nil {
		log.Fatalf("pictures: %v", err)
	}
}

// picture is what one is taken of.
type picture struct {
	name, scheme, of string // of is a file, or an address that begins with http://
	click            string // what is clicked first; "" is nothing
	height           int64  // of the window; 0 for the height and width of what is clicked
}

func take(page, command, dir string, terminals []string) error {
	options, err := browser.Options()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	defer stop()
	ctx, _ = chromedp.NewContext(ctx)
	defer func() { _ = chromedp.Cancel(ctx) }() // killed, Chromium would leave its temporary files
	screens, err := os.MkdirTemp("", "pictures-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(screens) }()
	served, err := startServed(ctx, command)
	if err != nil {
		return err
	}
	defer served.stop()
	// The report's first container in danger is opened.
	pictures := []picture{
		{"report.png", "light", page, "#c0 .toggle", 1130},
		{"report-dark.png", "dark", page, "#c0 .toggle", 1130},
		{"served.png", "light", served.url + "/", "", 920},
		{"served-workload.png", "light", served.url + "/workloads/shop/deployment/api", "", 920},
	}
	for _, terminal := range terminals {
		p, err := pictureOf(terminal, screens)
		if err != nil {
			return err
		}
		pictures = append(pictures, p)
	}
	for _, p := range pictures {
		taken, err := p.shoot(ctx)
		if err != nil {
			return fmt.Errorf("taking %s: %w", p.name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, p.name), taken, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// pictureOf is one of what a terminal got, with a page of it in the folder screens.
func pictureOf(terminal, screens string) (picture, error) {
	text, err := os.ReadFile(terminal)
	if err != nil {
		return picture{}, err
	}
	name := strings.TrimSuffix(filepath.Base(terminal), ".txt")
	page := filepath.Join(screens, name+".html")
	return picture{name + ".png", "dark", page, "pre", 0}, os.WriteFile(page, []byte(screenOf(string(text))), 0o600)
}

// shoot takes the picture, as PNG.
func (p picture) shoot(ctx context.Context) ([]byte, error) {
	address, err := p.address()
	if err != nil {
		return nil, err
	}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: p.scheme}},
	}); err != nil {
		return nil, err
	}
	steps := []chromedp.Action[chromedp.Void]{chromedp.EmulateViewport(1280, max(p.height, 900)), chromedp.Navigate(address)}
	if p.height == 0 {
		if err := chromedp.Do(ctx, steps...); err != nil {
			return nil, err
		}
		return chromedp.Run(ctx, chromedp.Screenshot(chromedp.CSS(p.click)))
	}
	if p.click != "" {
		steps = append(steps, chromedp.Click(chromedp.CSS(p.click)), chromedp.Blur(chromedp.CSS(p.click)))
	}
	if err := chromedp.Do(ctx, append(steps, chromedp.Evaluate[chromedp.Void]("scrollTo(0, 0)"))...); err != nil {
		return nil, err
	}
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}

// address is where the browser finds what the picture is of.
func (p picture) address() (string, error) {
	if strings.HasPrefix(p.of, "http://") {
		return p.of, nil
	}
	path, err := filepath.Abs(p.of)
	return "file://" + path, err
}

// screenOf is a page that looks as a terminal does. The styles are those that the tool uses.
func screenOf(text string) string {
	styles := map[string]string{
		"1": "font-weight:bold", "2": "color:#8b949e", "31": "color:#ff7b72", "32": "color:#56d364", "33": "color:#e3b341", "36": "color:#79c0ff",
	}
	body := html.EscapeString(strings.ReplaceAll(text, "\r", ""))
	body = regexp.MustCompile(`\x1b\[(\d+)m`).ReplaceAllStringFunc(body, func(code string) string {
		if style, ok := styles[strings.Trim(code, "\x1b[m")]; ok {
			return `<span style="` + style + `">`
		}
		return "</span>"
	})
	return `<!doctype html><meta charset="utf-8"><style>body{margin:0;background:#0d1117}` +
		`pre{margin:0;padding:16px;width:140ch;box-sizing:content-box;white-space:pre-wrap;background:#0d1117;color:#e6edf3;font:13px/1.3 monospace}</style><pre>` + strings.TrimSpace(body) + "</pre>\n"
}
