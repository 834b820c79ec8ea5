package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// grace is how long a process has between SIGTERM and SIGKILL. Most end within 0.1 s. An API server and its etcd
// would wait for each other for 10 s, to save what nobody reads any more.
const grace = time.Second

// errStopped is what starting a process gives once its Group has been stopped.
var errStopped = errors.New("the harness is stopping")

// Group is every process that the harness has started. Stopping it leaves none of them behind.
type Group struct {
	logs   string      // the folder of their logs
	spawns chan func() // run one by one on a thread that lives as long as the harness

	mu      sync.Mutex
	started []*Process
	stopped bool
}

// NewGroup is an empty group that writes the output of its processes into a folder.
func NewGroup(logs string) *Group {
	g := &Group{logs: logs, spawns: make(chan func())}
	go g.spawn()
	return g
}

// spawn starts all processes from one locked thread: Linux sends the parent-death signal when the thread
// that started a child ends, not when its process does.
func (g *Group) spawn() {
	runtime.LockOSThread()
	for f := range g.spawns {
		f()
	}
}

// Process is a running, or an ended, program with its log.
type Process struct {
	Name string
	Log  string // the path of its output; empty for a command whose output its caller takes

	cmd  *exec.Cmd
	done chan struct{}
	err  error // of Wait, once done is closed
}

// Start runs a server in a process group of its own, with its output in NAME.log.
func (g *Group) Start(name, binary string, args ...string) (*Process, error) {
	path := filepath.Join(g.logs, name+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	fmt.Fprintf(log, "# %s %s\n", binary, strings.Join(args, " "))
	cmd := exec.Command(binary, args...)
	cmd.Env = loopbackEnv(os.Environ())
	cmd.Stdout, cmd.Stderr = log, log
	return g.start(&Process{Name: name, Log: path, cmd: cmd})
}

// Run runs a command to its end, under the same protection as a server, and returns its standard output.
// Its error holds the tail of what it wrote to standard error.
func (g *Group) Run(cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	p, err := g.start(&Process{Name: filepath.Base(cmd.Path), cmd: cmd})
	if err != nil {
		return nil, err
	}
	<-p.done
	if p.err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), p.err, tail(stderr.String(), 20))
	}
	return []byte(stdout.String()), nil
}

// Usage is what a command took.
type Usage struct {
	ExitCode   int
	Wall, CPU  time.Duration
	PeakMemory int64 // bytes of resident memory

	// PeakAnonymous is that without pages of files, such as the program's own, which the kernel may drop: as often as
	// was looked, in bytes; 0 where there is no telling.
	PeakAnonymous int64
}

// Measure runs a command to its end and says how it ended. An exit code is no error.
func (g *Group) Measure(cmd *exec.Cmd) (Usage, error) {
	begin := time.Now()
	p, err := g.start(&Process{Name: filepath.Base(cmd.Path), cmd: cmd})
	if err != nil {
		return Usage{}, err
	}
	peak, anonymous := p.watchMemory()
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		return Usage{}, p.err
	}
	state := cmd.ProcessState
	return Usage{state.ExitCode(), time.Since(begin), state.UserTime() + state.SystemTime(), peak, anonymous}, nil
}

// watchMemory returns the peaks of the process's resident memory, in bytes, when it has ended.
func (p *Process) watchMemory() (all, own int64) {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-p.done:
			return max(all, p.maxRSS()), own
		case <-ticker.C:
			all, own = max(all, residentPeak(p.cmd.Process.Pid)), max(own, anonymous(p.cmd.Process.Pid))
		}
	}
}

func (g *Group) start(p *Process) (*Process, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return nil, errStopped
	}
	if p.cmd.SysProcAttr == nil {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	ownGroup(p.cmd.SysProcAttr)
	result := make(chan error)
	g.spawns <- func() { result <- p.cmd.Start() }
	if err := <-result; err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.Name, err)
	}
	p.done = make(chan struct{})
	go p.wait()
	g.started = append(g.started, p)
	return p, nil
}

func (p *Process) wait() {
	p.err = p.cmd.Wait()
	close(p.done)
}

// Stop ends every process that is still running, all at once, so that none waits for another's connections. No
// further one can start.
func (g *Group) Stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return
	}
	g.stopped = true
	var stopping sync.WaitGroup
	for _, p := range g.started {
		stopping.Go(p.Stop)
	}
	stopping.Wait()
	close(g.spawns)
}

// Alive says that the process has not ended.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Stop ends the process and what it started: SIGTERM, then SIGKILL after a grace. It returns when the
// process is gone.
func (p *Process) Stop() {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

// Kill ends the process at once, as a crash would.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// signal reaches the whole process group, whose leader the process is. Its number cannot have been given
// to another process before Wait has returned.
func (p *Process) signal(s syscall.Signal) {
	if p.Alive() {
		_ = syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// Tail is the end of the process's log.
func (p *Process) Tail() string {
	f, err := os.Open(p.Log)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }() // it was only read
	const most = 16 << 10
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	text, _ := io.ReadAll(f)
	return tail(string(text), 20)
}

// tail is the last n lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// loopbackEnv is an environment in which no proxy stands between processes of this machine.
func loopbackEnv(environ []string) []string {
	const hosts = "127.0.0.1,localhost"
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		if v := os.Getenv(name); v != "" {
			environ = append(environ, name+"="+v+","+hosts)
		} else {
			environ = append(environ, name+"="+hosts)
		}
	}
	return environ
}
