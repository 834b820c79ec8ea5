package main

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/rightsize/rightsize/notify/slacktest"
)

// What ps can show of a process, its arguments and its environment, does not have the webhook's URL.
func TestProcessListShowsNoSecret(t *testing.T) {
	cmd, _ := hanging(t)
	for _, name := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, name))
		if err != nil || len(text) == 0 {
			t.Fatalf("%s: %d bytes, %v", name, len(text), err)
		}
		if bytes.Contains(text, []byte(slacktest.WebhookPath)) {
			t.Errorf("the webhook is in %s", name)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
}
