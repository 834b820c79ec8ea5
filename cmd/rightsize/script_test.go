package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rightsize/rightsize/testdata/promserver"
	"github.com/rightsize/rightsize/testdata/shop"
)

// The test binary is the real one when it is called rightsize: scripts run main itself.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rightsize": main})
}

// TestDemo runs everything that needs the demo's folder, which takes seconds to make.
func TestDemo(t *testing.T) {
	demo := filepath.Join(t.TempDir(), "demo")
	if _, err := shop.Build(t.Context(), demo); err != nil {
		t.Fatal(err)
	}
	t.Run("scripts", func(t *testing.T) { testScripts(t, demo) })
	t.Run("interrupt", func(t *testing.T) { testSignal(t, demo, os.Interrupt, 130) })
	t.Run("nohup", func(t *testing.T) { testNohup(t, demo) })
	t.Run("terminate", func(t *testing.T) { testSignal(t, demo, syscall.SIGTERM, 143) })
	t.Run("nothing left", func(t *testing.T) { testNothingLeft(t, demo) })
	t.Run("no guards", func(t *testing.T) { testNoGuards(t, demo) })
	t.Run("promql", func(t *testing.T) { testPromQL(t, demo) })
	t.Run("partial", func(t *testing.T) { testPartial(t, demo) })
}

// testScripts runs testdata/scripts. They find the demo's folder in $DEMO, a Prometheus that serves it
// under $PROM, the same server with a password (reader:s3cret-word) under $LOCKED, one that stops answering
// under $SLOW and one that never answers under $SILENT, one without remote read under $NOREAD and one that fails at
// the end of it under $BADREAD, ones that hold few samples for a query under $LIMITED and too few under $TIGHT, and servers that are no Prometheus under $HTML, $EMPTY and, listening to nobody, $DEAD.
func testScripts(t *testing.T, demo string) {
	prometheus, err := promserver.Open(filepath.Join(demo, "tsdb"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	env := []string{
		"DEMO=" + demo,
		"UNTIL=" + shop.Until.Format("2006-01-02T15:04:05Z07:00"),
		"PROM=" + serve(t, prometheus) + promserver.Prefix,
		"LOCKED=" + serve(t, locked(prometheus)) + promserver.Prefix,
		"NOREAD=" + serve(t, remoteRead(prometheus, http.NotFound)) + promserver.Prefix,
		"BADREAD=" + serve(t, remoteRead(prometheus, failLate(prometheus))) + promserver.Prefix,
		"LIMITED=" + serve(t, limited(t, demo, 30_000)) + promserver.Prefix,
		"TIGHT=" + serve(t, limited(t, demo, 2000)) + promserver.Prefix,
		"SLOW=" + serve(t, slow(nil)),
		"HTML=" + serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<!DOCTYPE html><html><body>Sign in</body></html>")
		})),
		"EMPTY=" + serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"success"}`) })),
		"SILENT=" + serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_ = r.FormValue("query") // a server sees that its client has gone once the body is read
			<-r.Context().Done()
		})),
		"CLUSTERS=" + clusters(t, prometheus), // a kubeconfig; see there
		"DEAD=http://" + deadAddress(t),
		"KUBECONFIG=" + filepath.Join(t.TempDir(), "none"), // nobody's cluster
		"NO_PROXY=127.0.0.1",
	}
	t.Run("all", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Dir:                 filepath.Join("..", "..", "testdata", "scripts"),
			UpdateScripts:       os.Getenv("UPDATE") != "",
			RequireExplicitExec: true,
			Setup: func(e *testscript.Env) error {
				e.Vars = append(e.Vars, env...)
				return nil
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code, "slack": slackCommand()},
		})
	})
	if err := prometheus.Close(); err != nil {
		t.Error(err)
	}
}

// limited is a Prometheus that refuses queries for more samples.
func limited(t *testing.T, demo string, samples int) http.Handler {
	t.Helper()
	prometheus, err := promserver.OpenWith(promserver.Limits{Samples: samples}, filepath.Join(demo, "tsdb"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := prometheus.Close(); err != nil {
			t.Error(err)
		}
	})
	return prometheus
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// locked wants a password.
func locked(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "reader" || password != "s3cret-word" {
			http.Error(w, "wrong password "+password, http.StatusUnauthorized) // as careless servers do
			return
		}
		h.ServeHTTP(w, r)
	})
}

// remoteRead answers remote read in a way of its own.
func remoteRead(h http.Handler, read http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/api/v1/read") {
			read(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// failLate answers remote read with what h says, and with an error at its end if that is anything.
func failLate(h http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		said := &saying{ResponseWriter: w}
		h.ServeHTTP(said, r)
		if said.anything {
			fmt.Fprintln(w, "expanding series: query timed out")
		}
	}
}

// saying notes whether anything is said.
type saying struct {
	http.ResponseWriter
	anything bool
}

// Write implements io.Writer.
func (s *saying) Write(p []byte) (int, error) {
	s.anything = s.anything || len(p) > 0
	return s.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (s *saying) Flush() {}

// slow answers the query of nothing, and then no more. It sends on asked when it is left waiting.
func slow(asked chan<- struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("query") == "1" {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}`)
			return
		}
		if asked != nil {
			asked <- struct{}{}
		}
		<-r.Context().Done()
	})
}

// deadAddress was free a moment ago, and nobody listens there.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// code runs a command and wants its exit code: "code 2 rightsize --foo".
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code CODE COMMAND [ARG ...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := err.(interface{ ExitCode() int }); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}
