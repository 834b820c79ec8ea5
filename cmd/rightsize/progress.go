package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// isTerminal says whether w is a terminal that a person looks at.
func isTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// useColor follows https://no-color.org: any value of NO_COLOR but the empty one turns colours off.
func useColor(w io.Writer) bool { return os.Getenv("NO_COLOR") == "" && isTerminal(w) }

// bar is a line on a terminal that is written over as a scan goes on. In a pipe it writes nothing.
type bar struct {
	w    io.Writer
	on   bool
	used bool
}

const barWidth = 24

func (b *bar) show(done, total int, what string) {
	if !b.on || total == 0 {
		return
	}
	b.used = true
	full := barWidth * done / total
	fmt.Fprintf(b.w, "\r\x1b[Kreading usage [%s%s] %d/%d %s", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), done, total, what)
}

// clear leaves the terminal as it was.
func (b *bar) clear() {
	if b.used {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.used = false
	}
}
