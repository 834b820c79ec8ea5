package serve

import (
	"net"
	"net/http"
	"testing"
)

// A page elsewhere whose name has come to mean this machine learns nothing, while people and proxies do.
func TestRebinding(t *testing.T) {
	s := start(t, "http", server(finds(found(t))))
	eventually(t, "it is ready", func() bool { return status(t, s.url+"/health/ready") == 200 })
	_, port, err := net.SplitHostPort(s.url[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{
		"localhost:" + port: 200, "127.0.0.1:" + port: 200, "[::1]:" + port: 200, "LOCALHOST.:" + port: 200, "me.localhost:" + port: 200,
		"evil.example:" + port: 421, "localhost.evil.example:" + port: 421, "127.0.0.1.evil.example:" + port: 421, "notlocalhost:" + port: 421,
		"rightsize.example": 200, "rightsize.example:443": 200, // by a proxy
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/report", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("as %s: %d, want %d", host, resp.StatusCode, want)
		}
	}
}

// Where others can reach it, it cannot know by which names.
func TestRebindingElsewhere(t *testing.T) {
	for address, want := range map[string]string{"127.0.0.1:80": "80", "[::1]:8080": "8080", "0.0.0.0:8080": "", "[::]:8080": "", "10.0.0.1:8080": ""} {
		a, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if got := localPort(a); got != want {
			t.Errorf("localPort(%s) = %q, want %q", address, got, want)
		}
	}
}
