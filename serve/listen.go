package serve

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"regexp"
	"strings"
	"sync"

	"github.com/prometheus/exporter-toolkit/web"
)

// CheckWebConfig reads a web configuration file as exporter-toolkit has it
// (https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md), with the files that it names. Its
// error repeats no value of it. "" is no file.
func CheckWebConfig(file string) error {
	if err := web.Validate(file); err != nil {
		return errors.New(withoutValues(err.Error()))
	}
	return nil
}

// withoutValues is what somebody says of a YAML file, on one line and without what stands in it, which may be a password:
// errors of YAML quote values by backquotes.
func withoutValues(text string) string {
	return strings.Join(strings.Fields(regexp.MustCompile("(?s) ?`.*?`").ReplaceAllString(text, "")), " ")
}

// listen serves, by TLS and with passwords where the web configuration says so, which is read anew for each connection
// and request. The probes need no password: the kubelet has none. Who has none is observed like all others.
func (s *Server) listen(server *http.Server, l net.Listener) error {
	if s.options.WebConfig != "" {
		plain := s.answers()
		server.Handler = plain // which exporter-toolkit locks, every path of it
		l = &listener{Listener: l, first: func() {
			locked := server.Handler
			server.Handler = s.observed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/health/") {
					plain.ServeHTTP(w, r)
					return
				}
				locked.ServeHTTP(w, r)
			}))
		}}
	}
	flags := &web.FlagConfig{WebConfigFile: &s.options.WebConfig}
	err := web.Serve(l, server, flags, slog.New(toolkitLog{s.log}))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// toolkitLog is told by exporter-toolkit that it cannot read its file. What else it says is no news.
type toolkitLog struct{ log *slog.Logger }

// Enabled implements slog.Handler.
func (toolkitLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

// Handle implements slog.Handler.
func (t toolkitLog) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += ": " + a.Value.String()
		return true
	})
	t.log.Error("--web-config: " + withoutValues(text))
	return nil
}

// WithAttrs implements slog.Handler.
func (t toolkitLog) WithAttrs([]slog.Attr) slog.Handler { return t }

// WithGroup implements slog.Handler.
func (t toolkitLog) WithGroup(string) slog.Handler { return t }

// errorLog is told by net/http of broken handshakes and the like, nobody's fault here, and of panics, which are ours. A
// handshake breaks too where the web configuration cannot be read any more, and the error quotes it.
func (s *Server) errorLog() *log.Logger { return log.New(errorWriter{s.log}, "", 0) }

type errorWriter struct{ log *slog.Logger }

// Write implements io.Writer.
func (e errorWriter) Write(p []byte) (int, error) {
	level, text := slog.LevelInfo, withoutValues(string(p))
	if strings.HasPrefix(text, "http: panic serving ") {
		level = slog.LevelError
	}
	e.log.Log(context.Background(), level, text)
	return len(p), nil
}

// listener does something before it is first listened to: a server has all its settings then, and no request yet.
type listener struct {
	net.Listener
	once  sync.Once
	first func()
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	l.once.Do(l.first)
	return l.Listener.Accept()
}

// profiles serves profiles where they are asked for, and returns what ends that.
func (s *Server) profiles() (end func()) {
	if s.options.Pprof == nil {
		return func() {}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: notRebound(localPort(s.options.Pprof.Addr()), mux), ReadHeaderTimeout: headerTimeout, MaxHeaderBytes: maxHeader}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(s.options.Pprof) // ends with the server
	}()
	return func() {
		_ = server.Close()
		<-done
	}
}
