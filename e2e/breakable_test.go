package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// breakable passes connections on to a server, and can be gone for a while: nobody else's are broken.
type breakable struct {
	t       *testing.T
	target  string // HOST:PORT
	address string // HOST:PORT of its own, which stays the same

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
	left     int           // bytes of answers until it breaks by itself; below 0 it does not
	broken   chan struct{} // closed when it does
	copying  sync.WaitGroup
}

// breakableTo is one in front of a server, until the test ends.
func breakableTo(t *testing.T, target string) *breakable {
	t.Helper()
	b := &breakable{t: t, target: target, address: "127.0.0.1:0", open: map[net.Conn]bool{}, left: -1}
	b.start()
	t.Cleanup(func() {
		b.stop()
		b.copying.Wait()
	})
	return b
}

// start listens, again at the same address.
func (b *breakable) start() {
	b.t.Helper()
	l, err := net.Listen("tcp", b.address)
	if err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listener, b.address = l, l.Addr().String()
	b.copying.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return // stopped
			}
			b.copying.Go(func() { b.pass(from) })
		}
	})
}

// stop breaks all connections and takes no more.
func (b *breakable) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.breakAll()
}

// stopAfter breaks it in the middle of its answers, after so many bytes of them from now on, and waits for that.
func (b *breakable) stopAfter(bytes int) {
	broken := make(chan struct{})
	b.mu.Lock()
	b.left, b.broken = bytes, broken
	b.mu.Unlock()
	<-broken
}

// breakAll is for who holds the lock.
func (b *breakable) breakAll() {
	_ = b.listener.Close()
	for c := range b.open {
		_ = c.Close()
	}
}

func (b *breakable) pass(from net.Conn) {
	to, err := net.Dial("tcp", b.target)
	if err != nil {
		_ = from.Close()
		return
	}
	b.mu.Lock()
	b.open[from], b.open[to] = true, true
	b.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, counted{to, b})
	_ = from.Close()
	<-done
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, from)
	delete(b.open, to)
}

// counted counts what a server answers.
type counted struct {
	io.Reader
	b *breakable
}

// Read implements io.Reader.
func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	if c.b.left < 0 {
		return n, err
	}
	if c.b.left -= n; c.b.left < 0 {
		c.b.breakAll()
		close(c.b.broken)
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}
