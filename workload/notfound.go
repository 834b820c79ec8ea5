package workload

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// NotFoundError says that something which was asked for by name does not exist, and what is like it.
type NotFoundError struct {
	Problem string   // what is missing, and where: `namespace "shp" does not exist`
	Near    []string // names like the one that was asked for, the most alike first; at most three
	What    string   // what Known lists: "namespaces"
	Known   []string // what there is instead, sorted; empty where that is not known or does not help
}

// knownShown is how many names of what there is instead an error lists.
const knownShown = 10

// Error is one line: the problem, then "did you mean", then what there is.
func (e *NotFoundError) Error() string {
	s := e.Problem
	if len(e.Near) > 0 {
		s += "; did you mean " + strings.Join(e.Near, " or ") + "?"
	}
	if len(e.Known) == 0 {
		return s
	}
	shown, rest := e.Known, ""
	if len(shown) > knownShown {
		rest = fmt.Sprintf(" and %d more", len(shown)-knownShown)
		shown = shown[:knownShown]
	}
	return fmt.Sprintf("%s (%s: %s%s)", s, e.What, strings.Join(shown, ", "), rest)
}

// missingNamespace is the error for a namespace that is not among known. State says so: "does not exist".
func missingNamespace(name, state string, known []string) *NotFoundError {
	e := &NotFoundError{
		Problem: fmt.Sprintf("namespace %q %s", name, state),
		What:    "namespaces",
		Known:   slices.Sorted(slices.Values(known)),
	}
	for _, n := range nearest(name, known) {
		e.Near = append(e.Near, fmt.Sprintf("%q", n))
	}
	return e
}

// nearest is the names most like the one that was asked for: those at the least edit distance, as long as
// no more than a third of the name, and at least two letters, would have to change. At most three.
func nearest(name string, among []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	most := max(2, len(name)/3)
	var near []candidate
	for _, n := range among {
		// Lengths alone are a lower bound, so most names are never compared.
		if n == "" || len(n)-len(name) > most || len(name)-len(n) > most {
			continue
		}
		if d := distance(name, n); d <= most && d < max(len(name), len(n)) {
			near = append(near, candidate{n, d})
		}
	}
	slices.SortFunc(near, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.name, b.name))
	})
	near = slices.Compact(near)
	var names []string
	for i := 0; i < len(near) && i < 3 && near[i].distance == near[0].distance; i++ {
		names = append(names, near[i].name)
	}
	return names
}

// distance is Levenshtein's: how many bytes have to be put in, taken out or replaced to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
