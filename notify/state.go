package notify

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
)

// state is what is kept of a message for the next one: which containers it said to change.
type state struct {
	Version int                   `json:"version"`
	Scope   string                `json:"scope"` // what the report was about
	Until   time.Time             `json:"until"` // where its window ended
	Open    map[string][2]float64 `json:"open"`  // by key: for CPU in cores and memory in bytes, the advised request and limit together
}

const (
	stateVersion = 1

	// maxState is below what a ConfigMap takes (1 MiB, MaxSecretSize in k8s.io/api/core/v1), in bytes. 10,000
	// containers to change need about 250 kB.
	maxState = 900 << 10

	// maxStateText is the most that a state of maxState can unpack to, in bytes: JSON of digits packs to a
	// third. What unpacks to more is no state of ours.
	maxStateText = 32 << 20
)

// key is a hash of a container's name: 64 bits, so that two of 10,000 collide once in 10^11 states.
func key(id recommender.ID) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{id.Cluster, id.Namespace, id.Kind, id.Workload, id.Container}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

func (s state) encode() ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encoding the state: %w", err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		return nil, fmt.Errorf("packing the state: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing the state: %w", err)
	}
	if b.Len() > maxState {
		return nil, fmt.Errorf("the state of %s to change has %d KiB and may have %d: post fewer namespaces in one run, each with a --state of its own",
			recommender.Count(len(s.Open), "container"), b.Len()>>10, maxState>>10)
	}
	return b.Bytes(), nil
}

// startAnew is what to do about a state that cannot be used.
const startAnew = "delete it to start anew"

func decodeState(packed []byte) (*state, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, errors.New("it is not what rightsize wrote: " + startAnew)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxStateText+1))
	if err != nil || len(text) > maxStateText {
		return nil, errors.New("it is damaged: " + startAnew)
	}
	var s state
	err = json.Unmarshal(text, &s) // of another version, it may not fit and still have one
	if err != nil && (s.Version == 0 || s.Version == stateVersion) {
		return nil, errors.New("it is damaged: " + startAnew)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("it is of version %d, which this rightsize does not know: use the one that wrote it, or %s", s.Version, startAnew)
	}
	return &s, nil
}

// comparison is what has become of the containers to change since the last message.
type comparison struct {
	first        bool   // there was no last message
	other        string // the last message was about this instead
	until        time.Time
	fresh, moved []scan.Item // to change now and not then; then too, but by other amounts
	resolved     int         // to change then and not now: changed, or gone
	unchanged    int
	unknown      int // to change then, and without advice now
}

// compare tells what is new since the state that was kept, and what is to be kept now. last is nil for none.
func compare(last *state, r report.Report, scope string) (comparison, state) {
	now := state{Version: stateVersion, Scope: scope, Until: r.Window.Until.UTC(), Open: map[string][2]float64{}}
	c := comparison{first: last == nil}
	before := map[string][2]float64{}
	switch {
	case last == nil:
	case last.Scope != scope:
		c.other = cmp.Or(last.Scope, "something else")
	default:
		before, c.until = last.Open, last.Until
	}
	for _, change := range digestOf(r).changes {
		id := change.item.ID
		now.Open[key(id)] = sums(change.item)
		switch then, known := before[key(id)]; {
		case !known:
			c.fresh = append(c.fresh, change.item)
		case apart(then, now.Open[key(id)]):
			c.moved = append(c.moved, change.item)
		default:
			c.unchanged++
		}
	}
	c.closeOthers(before, &now, r)
	return c, now
}

// closeOthers counts those that are not to be changed any more. One without advice, or that may be of a kind
// that could not be listed, is not resolved: nothing is known of it this time, so what was known is kept.
func (c *comparison) closeOthers(before map[string][2]float64, now *state, r report.Report) {
	settled := map[string]bool{}
	for _, item := range r.Items {
		settled[key(item.ID)] = true
		for res := range recommender.NumResources {
			if report.StatusOf(item, res) != report.OK {
				settled[key(item.ID)] = false
			}
		}
	}
	for k, then := range before {
		if _, open := now.Open[k]; open {
			continue
		}
		known, there := settled[k]
		if there && !known || !there && len(r.Unlisted) > 0 {
			now.Open[k] = then
			c.unknown++
			continue
		}
		c.resolved++
	}
}

// sums are the two numbers of a container: what it is advised to request and to be limited to, together, so
// that either of them shows.
func sums(item scan.Item) (s [2]float64) {
	for r := range recommender.NumResources {
		request, _ := item.Advice[r].Bounds.Request.Amount()
		limit, _ := item.Advice[r].Bounds.Limit.Amount()
		s[r] = request + limit
	}
	return s
}

func apart(then, now [2]float64) bool {
	for r := range recommender.NumResources {
		if recommender.DefaultSignificance().Reached(r, recommender.Set(then[r]), recommender.Set(now[r])) {
			return true
		}
	}
	return false
}

// text is "Since 2026-01-26: 2 new (`a`, `b`), 1 resolved, 9 unchanged".
func (c comparison) text(namespaced bool) string {
	switch {
	case c.first:
		return "*Since last time*: this is the first message, there is nothing to compare it with"
	case c.other != "":
		return "*Since last time*: the last message was about " + code(c.other, maxName) + ", so there is nothing to compare this one with"
	}
	parts := []string{
		counted(c.fresh, "new", namespaced),
		fmt.Sprintf("*%d* resolved", c.resolved),
		fmt.Sprintf("*%d* unchanged", c.unchanged),
	}
	if len(c.moved) > 0 {
		parts = append(parts, counted(c.moved, "with other amounts", namespaced))
	}
	if c.unknown > 0 {
		parts = append(parts, fmt.Sprintf("*%d* without advice this time", c.unknown))
	}
	return "*Since " + c.until.Format(time.DateOnly) + "*: " + strings.Join(parts, ", ")
}

func counted(items []scan.Item, what string, namespaced bool) string {
	text := fmt.Sprintf("*%d* %s", len(items), what)
	if len(items) > 0 {
		text += " (" + some(items, namespaced) + ")"
	}
	return text
}
