package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rightsize/rightsize/testdata/shop"
)

// A service says what the command says of held-out days, unless it is told not to.
func testServeHeldOut(t *testing.T, w world) {
	prometheus, cluster := w.servers(t)
	cmd := exec.Command("rightsize", "-o", "json", "--prometheus-url", prometheus.url(), "--kubeconfig", kubeconfigOf(t, cluster), "--until", shop.Until.Format(time.RFC3339))
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := heldOutOf(t, string(text))
	if want == "" {
		t.Fatal("the command's own report has no heldOut")
	}
	for flag, want := range map[string]string{"--held-out": want, "--held-out=false": ""} {
		s := startService(t, prometheus.url(), cluster, nil, flag)
		eventually(t, "it is ready", s.ready)
		_, text := s.get("/api/v1/report")
		if got := heldOutOf(t, text); got != want {
			t.Errorf("%s: heldOut is %s, want %s", flag, got, want)
		}
		if _, page := s.get("/"); strings.Contains(page, "Held out: memory limits of default") != (want != "") {
			t.Errorf("%s: the page: %s", flag, page)
		}
		if code := s.end(t, syscall.SIGTERM); code != 0 {
			t.Errorf("exit %d", code)
		}
	}
}

func heldOutOf(t *testing.T, report string) string {
	t.Helper()
	var r struct{ HeldOut json.RawMessage }
	if err := json.Unmarshal([]byte(report), &r); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(r.HeldOut)), " ")
}
