package cluster

import (
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Begin starts a command that runs on, under the same protection as a server.
func (g *Group) Begin(cmd *exec.Cmd) (*Process, error) {
	return g.start(&Process{Name: filepath.Base(cmd.Path), cmd: cmd})
}

// Terminate asks the process to end, as a kubelet does, and kills it when it has not within the grace. Its exit code
// is -1 then.
func (p *Process) Terminate(grace time.Duration) (exitCode int) {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
		p.Kill()
	}
	return p.cmd.ProcessState.ExitCode()
}
