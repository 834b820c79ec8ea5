// Pictures takes those of the documents: of a report's page, light and dark, and of what a terminal got.
//
//	go run ./pictures -page report.html -terminal terminal.txt -dir ../docs/pictures
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
	terminal := flag.String("terminal", "", "what a terminal got of the report, with its colours")
	dir := flag.String("dir", "", "where the pictures go")
	flag.Parse()
	if *page == "" || *terminal == "" || *dir == "" {
		log.Fatal("pictures: give -page, -terminal and -dir")
	}
	if err := take(*page, *terminal, *dir); err != nil {
		log.Fatalf("pictures: %v", err)
	}
}

func take(page, terminal, dir string) error {
	options, err := browser.Options()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	defer stop()
	ctx, _ = chromedp.NewContext(ctx)
	text, err := os.ReadFile(terminal)
	if err != nil {
		return err
	}
	screen, err := os.CreateTemp("", "terminal-*.html")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(screen.Name()) }()
	if _, err := screen.WriteString(screenOf(string(text))); err != nil {
		return err
	}
	if err := screen.Close(); err != nil {
		return err
	}
	// The report's first container in danger is opened.
	for _, p := range []struct {
		name, scheme, of, open string
		height                 int64
	}{
		{"report.png", "light", page, "#c0 .toggle", 1130},
		{"report-dark.png", "dark", page, "#c0 .toggle", 1130},
		{"terminal.png", "dark", screen.Name(), "pre", 0},
	} {
		picture, err := shoot(ctx, p.of, p.scheme, p.open, p.height)
		if err != nil {
			return fmt.Errorf("taking %s: %w", p.name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, p.name), picture, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// shoot takes a picture of a page on which something was clicked: as high as given, or of that very thing.
func shoot(ctx context.Context, file, scheme, click string, height int64) ([]byte, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}); err != nil {
		return nil, err
	}
	steps := []chromedp.Action[chromedp.Void]{chromedp.EmulateViewport(1280, max(height, 900)), chromedp.Navigate("file://" + path)}
	if height == 0 {
		if err := chromedp.Do(ctx, steps...); err != nil {
			return nil, err
		}
		return chromedp.Run(ctx, chromedp.Screenshot(chromedp.CSS(click)))
	}
	if err := chromedp.Do(ctx, append(steps, chromedp.Click(chromedp.CSS(click)), chromedp.Blur(chromedp.CSS(click)),
		chromedp.Evaluate[chromedp.Void]("scrollTo(0, 0)"))...); err != nil {
		return nil, err
	}
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}

// screenOf is a page that looks as a terminal does. The colours are those that the table uses.
func screenOf(text string) string {
	colors := map[string]string{"31": "#ff7b72", "32": "#56d364", "33": "#e3b341"}
	body := html.EscapeString(strings.ReplaceAll(text, "\r", ""))
	body = regexp.MustCompile(`\x1b\[(\d+)m`).ReplaceAllStringFunc(body, func(code string) string {
		if color, ok := colors[strings.Trim(code, "\x1b[m")]; ok {
			return `<span style="color:` + color + `">`
		}
		return "</span>"
	})
	return `<!doctype html><meta charset="utf-8"><style>body{margin:0;background:#0d1117}` +
		`pre{margin:0;padding:16px;width:140ch;box-sizing:content-box;white-space:pre-wrap;background:#0d1117;color:#e6edf3;font:13px/1.45 monospace}</style><pre>` + strings.TrimSpace(body) + "</pre>\n"
}
