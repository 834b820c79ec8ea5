package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// served is a service under way.
type served struct {
	cmd *exec.Cmd
	url string
}

// startServed runs the command, on a free port, until its report is there.
func startServed(ctx context.Context, command string) (*served, error) {
	parts := strings.Fields(command)
	if len(parts) == 0 {
		return nil, errors.New("the command of -serve is empty")
	}
	s := &served{cmd: exec.CommandContext(ctx, parts[0], append(parts[1:], "--listen", "127.0.0.1:0", "--shutdown-delay", "0", "--log-format", "json", "--log-level", "info")...)}
	log, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Msg, Address string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			continue // not of the log
		}
		switch {
		case line.Msg == "listening":
			s.url = "http://" + line.Address
		case line.Msg == "scan done":
			go func() { // or it could not go on
				for lines.Scan() {
				}
			}()
			return s, nil
		case strings.HasPrefix(line.Msg, "scan failed"):
			s.stop()
			return nil, fmt.Errorf("%s: %s", command, line.Msg)
		}
	}
	s.stop()
	return nil, fmt.Errorf("%s: ended before there was a report", command)
}

// stop ends the service and waits for that.
func (s *served) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait() // it was asked to
}
