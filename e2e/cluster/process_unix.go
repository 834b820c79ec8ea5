//go:build unix && !linux

package cluster

import (
	"os/exec"
	"runtime"
	"syscall"
)

// ownGroup puts a process into a group of its own, so that a Ctrl-C on the terminal reaches the harness
// first. Outside Linux nothing kills the process if the harness is killed.
func ownGroup(attr *syscall.SysProcAttr) { attr.Setpgid = true }

// Confine has a command see a folder as the root of its file system, and run as a user and group of that number who
// owns nothing in it. Outside Linux only root may do that.
func Confine(cmd *exec.Cmd, root string, id int) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: uint32(id), Gid: uint32(id)}}
}

// residentPeak is only known once a process has ended.
func residentPeak(int) int64 { return 0 }

// anonymous is not known.
func anonymous(int) int64 { return 0 }

// maxRSS is the most resident memory that the ended process has had, in bytes.
func (p *Process) maxRSS() int64 {
	usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" { // the others count in kibibytes
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) << 10
}
