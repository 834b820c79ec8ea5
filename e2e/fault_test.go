package e2e

import (
	"context"
	"testing"

	"github.com/rightsize/rightsize/e2e/cluster"
)

// Who cannot be reached, or does not let us in, is named, with why; the exit code is 1.
func TestFaults(t *testing.T) {
	t.Run("Prometheus is down", func(t *testing.T) {
		stopped(t, env.prometheus)
		r := rightsize(t, as(cluster.Tool)...)
		r.wantCode(t, 1)
		r.wantErrors(t, env.prometheus.URL(), "connection refused", "--prometheus-url")
	})
	t.Run("the API server is down", func(t *testing.T) {
		stopped(t, env.cluster.APIServer)
		r := rightsize(t, as(cluster.Tool)...)
		r.wantCode(t, 1)
		r.wantErrors(t, "cannot reach the API server "+env.cluster.APIServerURL(), "connection refused", "--context")
	})
	for _, c := range []struct {
		name  string
		user  cluster.User
		texts []string
	}{
		{"the token is wrong", cluster.WrongToken, []string{env.cluster.APIServerURL(), "does not accept the credentials of context", "--context"}},
		{"the certificate has expired", cluster.ExpiredCert, []string{env.cluster.APIServerURL(), "does not accept the credentials of context", "--context"}},
		{"the authority is another", cluster.WrongCA, []string{env.cluster.APIServerURL(), "certificate signed by unknown authority"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rightsize(t, as(c.user)...)
			r.wantCode(t, 1)
			r.wantErrors(t, c.texts...)
		})
	}
	t.Run("there is no kubeconfig", func(t *testing.T) {
		r := rightsize(t, append(fromPrometheus(env.prometheus.URL()), "-n", "shop", "--kubeconfig", "/does/not/exist")...)
		r.wantCode(t, 1)
		r.wantErrors(t, "/does/not/exist")
	})
	t.Run("the namespace is not there", func(t *testing.T) {
		r := rightsize(t, append(as(cluster.Tool), "-n", "shopp")...)
		r.wantCode(t, 1)
		r.wantErrors(t, "shopp", "shop")
	})
}

// stopped kills a server until the test ends.
func stopped(t *testing.T, s *cluster.Server) {
	t.Helper()
	s.Kill()
	t.Cleanup(func() {
		if err := s.Restart(context.Background()); err != nil {
			t.Fatalf("starting %s again: %v", s.Name, err)
		}
	})
}
