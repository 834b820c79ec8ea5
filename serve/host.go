package serve

import (
	"net"
	"net/http"
	"strconv"
	"strings"
)

// localPort is the port of an address that this machine alone can reach; "" for others.
func localPort(a net.Addr) string {
	if tcp, is := a.(*net.TCPAddr); is && tcp.IP.IsLoopback() {
		return strconv.Itoa(tcp.Port)
	}
	return ""
}

// notRebound refuses what a page of another site asks for in a browser on this machine, by a name of its own that it has come
// to resolve to loopback (DNS rebinding): such a page reads what it asks for only at its own name and port, so the port is
// the one of ours that is local, and the name is none of this machine's. A proxy's callers use another port. "" is no such
// port.
func notRebound(local string, next http.Handler) http.Handler {
	if local == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, port, err := net.SplitHostPort(r.Host)
		if err != nil {
			name, port = r.Host, "80"
		}
		if port == local && !isLocal(name) {
			writeProblem(w, r, problemf(http.StatusMisdirectedRequest, "nobody but this machine can reach port %s here, so it answers to localhost and to addresses, and not to %q", port, name))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLocal says that a name cannot be another's: an address, none at all (HTTP/1.0), or localhost and what is below it (RFC 6761,
// section 6.3).
func isLocal(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	return name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost") || net.ParseIP(strings.Trim(name, "[]")) != nil
}
