package serve

import (
	"errors"
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
		values := regexp.MustCompile("(?s) ?`.*?`")
		return errors.New(strings.Join(strings.Fields(values.ReplaceAllString(err.Error(), "")), " "))
	}
	return nil
}

// listen serves, by TLS and with passwords where the web configuration says so, which is read anew for each connection
// and request. The probes need no password: the kubelet has none.
func (s *Server) listen(server *http.Server, l net.Listener) error {
	plain := server.Handler
	if s.options.WebConfig != "" {
		l = &listener{Listener: l, first: func() {
			locked := server.Handler // by exporter-toolkit, which locks every path
			server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/health/") {
					plain.ServeHTTP(w, r)
					return
				}
				locked.ServeHTTP(w, r)
			})
		}}
	}
	flags := &web.FlagConfig{WebConfigFile: &s.options.WebConfig}
	err := web.Serve(l, server, flags, slog.New(slog.DiscardHandler))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
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
