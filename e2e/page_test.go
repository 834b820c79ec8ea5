package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// TestPage opens the report in a real browser, which keeps to the page's policy: it sorts and filters by what stands behind
// the #, opens the container that a link leads to, and has nothing to complain of.
func TestPage(t *testing.T) {
	r := rightsize(t, as(cluster.Tool, "-o", "html")...)
	r.wantCode(t, 0)
	file := filepath.Join(t.TempDir(), "report.html")
	writeFile(t, file, []byte(r.stdout))
	report := reportOf(t, as(cluster.Tool)...)
	all := browse(t, file, "")
	if len(all) != len(report.Containers) || slices.ContainsFunc(all, func(r row) bool { return r.hidden || r.open }) {
		t.Fatalf("the page has %d rows, want %d, all of them shown and closed", len(all), len(report.Containers))
	}
	t.Run("sorted", func(t *testing.T) {
		got := browse(t, file, "#sort=-severity")
		if !slices.IsSortedFunc(got, func(a, b row) int { return b.severity - a.severity }) || got[0].severity != 100 {
			t.Errorf("severities in the order %v, want the greatest first", got)
		}
		if slices.EqualFunc(got, all, func(a, b row) bool { return a.id == b.id }) {
			t.Error("the order is the one that it was without sorting")
		}
	})
	t.Run("filtered", func(t *testing.T) {
		for hash, column := range map[string]string{"#state=danger": `data-states="[^"]*danger`, "#kind=CronJob": `data-kind="CronJob"`} {
			for _, row := range browse(t, file, hash) {
				if want := !regexp.MustCompile(column).MatchString(row.tag); row.hidden != want {
					t.Errorf("%s: %s hidden %t, want %t", hash, row.tag, row.hidden, want)
				}
			}
		}
	})
	t.Run("opened", func(t *testing.T) {
		for i, row := range browse(t, file, "#"+all[2].id) {
			if row.open != (i == 2) || row.hidden {
				t.Errorf("%s: open %t, hidden %t", row.id, row.open, row.hidden)
			}
		}
	})
}

// row is a container as the browser has it once the page's script has run.
type row struct {
	id, tag      string
	severity     int // 0 where none is shown
	hidden, open bool
}

// browse has Chromium load a page, and gives its rows in their order.
func browse(t *testing.T, file, hash string) (rows []row) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	args := []string{
		"--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-dev-shm-usage", "--user-data-dir=" + t.TempDir(), "--enable-logging=stderr", "--dump-dom", "file://" + file + hash,
	}
	if os.Geteuid() == 0 {
		args = append([]string{"--no-sandbox"}, args...)
	}
	cmd := exec.CommandContext(ctx, "chromium", args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("running Chromium (Debian's package chromium): %v\n%.2000s", err, stderr.String())
	}
	for line := range strings.Lines(stderr.String()) {
		if strings.Contains(line, "CONSOLE") || strings.Contains(line, "Content Security Policy") {
			t.Errorf("the console says: %s", line)
		}
	}
	parts := regexp.MustCompile(`<tbody id="[^>]*>`).FindAllStringIndex(stdout.String(), -1)
	for i, at := range parts {
		end := stdout.Len()
		if i+1 < len(parts) {
			end = parts[i+1][0]
		}
		tag, body := stdout.String()[at[0]:at[1]], stdout.String()[at[1]:end]
		severity, _ := strconv.Atoi(regexp.MustCompile(`<td>(\d*)</td>`).FindStringSubmatch(body)[1])
		rows = append(rows, row{
			id: regexp.MustCompile(`id="(c\d+)"`).FindStringSubmatch(tag)[1], tag: tag, hidden: strings.Contains(tag, ` hidden=""`),
			severity: severity, open: !strings.Contains(body, `<tr class="details" hidden="">`),
		})
	}
	return rows
}
