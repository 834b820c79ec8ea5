// Package browser holds the report's page to a real browser: its tests click, type and look as a person does. It is a
// module of its own, so that what drives the browser is no dependency of the tool.
package browser

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/chromedp/chromedp"
)

// Options are those that Chromium is started with: without a window, with a user's folder of its own that is gone
// afterwards, and asking nothing of anybody.
func Options() ([]chromedp.ExecAllocatorOption, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, fmt.Errorf("looking for Chromium, as Debian has it (apt-get install chromium): %w", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	if os.Geteuid() == 0 { // Chromium's sandbox does not start for root
		options = append(options, chromedp.NoSandbox)
	}
	return options, nil
}
