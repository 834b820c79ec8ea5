package serve

import (
	"strings"
	"testing"
	"time"

	"github.com/rightsize/rightsize/backtest"
)

// What is said of held-out days counts containers of the whole report: a part of it says nothing of the kind.
func TestHeldOut(t *testing.T) {
	f := found(t)
	f.Report.HeldOut = &backtest.OutOfSample{Policy: "default", Train: 5 * 24 * time.Hour, Test: 2 * 24 * time.Hour, Containers: 4, Hit: 1, Hits: 3}
	s := scanned(t, finds(f))
	const sentence = "Held out: memory limits of default, learnt from 5d, would have been hit 3 times in the 2d after it, in 1 of 4 containers."
	for query, want := range map[string]bool{
		"": true, "?top=1": true, "?sort=memory": true, "?changes=significant": true, "?q=": true,
		"?namespace=shop": false, "?kind=deployment": false, "?workload=api": false, "?container=api": false, "?q=api": false, "?only=cpu": false,
	} {
		if got := strings.Contains(wantStatus(t, s, "/"+query, 200), sentence); got != want {
			t.Errorf("/%s has the sentence: %t", query, got)
		}
		if got := strings.Contains(wantStatus(t, s, "/api/v1/report"+query, 200), `"containersHit": 1`); got != want {
			t.Errorf("/api/v1/report%s has the numbers: %t", query, got)
		}
	}
	if strings.Contains(wantStatus(t, s, "/namespaces/shop", 200), "Held out") {
		t.Error("the page of a namespace speaks of the whole report")
	}
}
