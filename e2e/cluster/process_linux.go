package cluster

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// ownGroup puts a process into a group of its own, so that a Ctrl-C on the terminal reaches the harness
// first, and has the kernel kill it if the harness dies without stopping it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// residentPeak is the most resident memory that a running process has had, in bytes; 0 if it is gone.
func residentPeak(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(status, []byte("VmHWM:"))
	var kibibytes int64
	_, _ = fmt.Sscan(string(after[:min(len(after), 32)]), &kibibytes)
	return kibibytes << 10
}

// maxRSS is left out: the kernel starts ru_maxrss of a child at the peak of the process that made it, which
// is ours.
func (p *Process) maxRSS() int64 { return 0 }
