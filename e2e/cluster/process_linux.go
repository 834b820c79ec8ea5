package cluster

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// ownGroup puts a process into a group of its own, so that a Ctrl-C on the terminal reaches the harness
// first, and has the kernel kill it if the harness dies without stopping it.
func ownGroup(attr *syscall.SysProcAttr) { attr.Setpgid, attr.Pdeathsig = true, syscall.SIGKILL }

// Confine has a command see a folder as the root of its file system, and run as a user and group of that number who
// owns nothing in it. Who is not root needs a kernel with user namespaces for that.
func Confine(cmd *exec.Cmd, root string, id int) {
	attr := &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: uint32(id), Gid: uint32(id), NoSetGroups: os.Geteuid() != 0}}
	if os.Geteuid() != 0 {
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: id, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: id, HostID: os.Getegid(), Size: 1}}
	}
	cmd.SysProcAttr = attr
}

// residentPeak is the most resident memory that a running process has had, in bytes; 0 if it is gone.
func residentPeak(pid int) int64 {
	return memoryOf(pid, "VmHWM:")
}

// anonymous is how much of its resident memory a running process has that is no page of a file, the program's own
// included, in bytes; 0 if it is gone.
func anonymous(pid int) int64 { return memoryOf(pid, "RssAnon:") }

func memoryOf(pid int, field string) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(status, []byte(field))
	var kibibytes int64
	_, _ = fmt.Sscan(string(after[:min(len(after), 32)]), &kibibytes)
	return kibibytes << 10
}

// maxRSS is left out: the kernel starts ru_maxrss of a child at the peak of the process that made it, which
// is ours.
func (p *Process) maxRSS() int64 { return 0 }
