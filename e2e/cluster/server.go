package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// spec says how a server is started and when it is ready.
type spec struct {
	name   string
	binary string
	ports  int // how many ports it listens on
	args   func(ports []int) ([]string, error)
	// ready asks the server for something real. It is asked again until it gives no error.
	ready func(ctx context.Context, ports []int) error
	wait  time.Duration // for ready; 0 is a minute
}

// Server is a process that listens, and can be stopped and started again on the same ports.
type Server struct {
	*Process
	Ports []int

	spec  spec
	group *Group
}

// errPortTaken is a server that died because another program was faster to take one of its ports.
var errPortTaken = errors.New("its port was taken")

// serve starts a server on free ports and waits until it is ready. A port can be lost between being found
// free and being listened on: then others are tried.
func (g *Group) serve(ctx context.Context, s spec) (*Server, error) {
	var err error
	for range 5 {
		var ports []int
		if ports, err = freePorts(s.ports); err != nil {
			return nil, err
		}
		server := &Server{Ports: ports, spec: s, group: g}
		if err = server.Restart(ctx); !errors.Is(err, errPortTaken) {
			return server, err
		}
	}
	return nil, err
}

// Restart starts the server, which must have ended, on its ports, and waits until it is ready.
func (s *Server) Restart(ctx context.Context) error {
	args, err := s.spec.args(s.Ports)
	if err != nil {
		return err
	}
	if s.Process, err = s.group.Start(s.spec.name, s.spec.binary, args...); err != nil {
		return err
	}
	return s.await(ctx)
}

// await asks the server whether it is ready until it is, ends, or takes too long.
func (s *Server) await(ctx context.Context) error {
	if s.spec.wait == 0 {
		s.spec.wait = time.Minute
	}
	err := Eventually(ctx, s.spec.wait, func(ctx context.Context) error {
		if !s.Alive() {
			return permanent{s.ended()}
		}
		return s.spec.ready(ctx, s.Ports)
	})
	switch {
	case err == nil && !s.Alive(): // another program answered for it
		return s.ended()
	case err == nil, errors.Is(err, errPortTaken), errors.Is(err, context.Canceled):
		return err
	default:
		return fmt.Errorf("waiting for %s: %w\n%s", s.Name, err, s.Tail())
	}
}

func (s *Server) ended() error {
	if log, err := os.ReadFile(s.Log); err == nil && strings.Contains(string(log), "address already in use") {
		_ = os.Truncate(s.Log, 0) // or the next attempt would read it again
		return fmt.Errorf("%s: %w", s.Name, errPortTaken)
	}
	return fmt.Errorf("%s ended: %w", s.Name, s.err)
}

// URL is the address of the server's first port.
func (s *Server) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", s.Ports[0]) }

// freePorts asks the kernel for n ports on loopback that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // together, so that they are different ones
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// permanent is an error that asking again cannot mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Eventually repeats a question until it gives no error, or until the time is over: then its last error.
func Eventually(ctx context.Context, most time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, most, fmt.Errorf("not so after %s", most))
	defer cancel()
	for {
		err := ask(ctx)
		var final permanent
		if err == nil || errors.As(err, &final) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// client asks servers on loopback, whatever proxy the environment names, and whatever certificate they show.
func client() *http.Client {
	transport := &http.Transport{
		DisableKeepAlives: true, // or servers that are being stopped would wait for us
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}
	return &http.Client{Transport: transport, Timeout: 2 * time.Minute}
}

// healthy asks for a URL that answers 200 when a server is up.
func healthy(ctx context.Context, url string) error {
	_, err := get(ctx, url)
	return err
}

// get is the body of a URL that answers 200.
func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client().Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s: %.300s", url, response.Status, body)
	}
	return body, nil
}
