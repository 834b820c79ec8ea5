package promquery

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// recorder answers all requests with no series, and keeps the last.
func recorder(t *testing.T) (address string, last func() *http.Request) {
	t.Helper()
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		answer(200, "application/json", `{"status":"success","data":[]}`)(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() *http.Request { return got }
}

func TestBackends(t *testing.T) {
	address, last := recorder(t)
	for _, c := range []struct{ backend, params, tenant, want string }{
		{"prometheus", "", "", ""},
		{"thanos", "", "", "dedup=true&max_source_resolution=0s&partial_response=false"},
		{"thanos", "?partial_response=true&dedup=", "", "dedup=&max_source_resolution=0s&partial_response=true"},
		{"victoriametrics", "?extra_label=team%3Dweb", "", "deny_partial_response=1&extra_label=team%3Dweb&nocache=1"},
		{"mimir", "", "shop|web-1", ""},
		{"cortex", "", "shop", ""},
	} {
		b, err := BackendNamed(c.backend)
		if err != nil {
			t.Fatal(err)
		}
		api, err := NewHTTP(HTTPOptions{URL: address + c.params, Backend: b, Tenant: c.tenant})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (&Reader{API: api}).Namespaces(t.Context(), hour()); err != nil {
			t.Fatal(err)
		}
		if r := last(); r.URL.RawQuery != c.want || r.Header.Get("X-Scope-OrgID") != c.tenant {
			t.Errorf("%s: parameters %q, tenant %q; want %q, %q", c.backend, r.URL.RawQuery, r.Header.Get("X-Scope-OrgID"), c.want, c.tenant)
		}
		if api.String() != address {
			t.Errorf("%s is shown as %s", c.backend, api)
		}
	}
	if _, err := BackendNamed("loki"); err == nil || err.Error() != "want prometheus, thanos, mimir, cortex or victoriametrics" {
		t.Errorf("BackendNamed(loki): %v", err)
	}
}

func TestTenant(t *testing.T) {
	for tenant, want := range map[string]string{
		"shop": "", "a|b": "", "It's-(1)*_!.": "", strings.Repeat("x", 150): "",
		"": "several with", "a||b": "several with", "..": "cannot be called", "a/b": "letters, digits", "a b": "letters, digits", "ä": "letters, digits",
		"a\r\nX: y": "letters, digits", strings.Repeat("x", 151): "at most 150",
	} {
		err := CheckTenant(tenant)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("CheckTenant(%q) = %v, want %q", tenant, err, want)
		}
	}
	_, err := NewHTTP(HTTPOptions{URL: "http://mimir", Tenant: "a", Headers: []string{"x-scope-orgid: b"}})
	if err == nil || err.Error() != "--tenant and --header X-Scope-OrgID are the same: leave out one" {
		t.Errorf("a tenant twice: %v", err)
	}
}

// A tenant is no secret: what a server says of it, or of a namespace of the same name, can be read.
func TestTenantIsShown(t *testing.T) {
	server := httptest.NewServer(answer(http.StatusUnprocessableEntity, "text/plain", "too many series for tenant shop"))
	defer server.Close()
	if got := readFrom(t, HTTPOptions{URL: server.URL, Tenant: "shop"}, 0); !strings.Contains(got, "tenant shop") {
		t.Errorf("the tenant is hidden: %s", got)
	}
}

func TestSigV4(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	address, last := recorder(t)
	file := filepath.Join(t.TempDir(), "http.yml")
	write(t, file, "sigv4: {region: eu-west-1, access_key: AKIDEXAMPLE1, secret_key: "+secret+"}\n")
	api, err := NewHTTP(HTTPOptions{URL: address, ConfigFile: file})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&Reader{API: api}).Namespaces(t.Context(), hour()); err != nil {
		t.Fatal(err)
	}
	got := last().Header.Get("Authorization")
	if !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE1/") || !strings.Contains(got, "/eu-west-1/aps/aws4_request") || strings.Contains(got, secret) {
		t.Errorf("Authorization: %s", got)
	}
	if last().Method != http.MethodPost {
		t.Errorf("method %s, want POST, whose body is signed too", last().Method)
	}
}

// Neither keys, session tokens nor signatures are shown where a server repeats them.
func TestSigV4IsHidden(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, v := range map[string]string{
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_REGION": "eu-west-1",
		"AWS_ACCESS_KEY_ID": "AKIDOFENVIRONMENT", "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "session-" + secret,
	} {
		t.Setenv(name, v)
	}
	server := httptest.NewServer(http.HandlerFunc(repeatHeaders))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "http.yml")
	write(t, file, "sigv4: {service_name: aps}\n")
	got := readFrom(t, HTTPOptions{URL: server.URL, ConfigFile: file}, 0)
	for _, text := range []string{secret, "AKID", "Signature=0", "Signature=1"} {
		if strings.Contains(got, text) {
			t.Errorf("%s is shown: %s", text, got)
		}
	}
	if !strings.Contains(got, "X-Amz-Security-Token: <hidden>") || !strings.Contains(got, "Credential=<hidden>") && !strings.Contains(got, "Authorization: <hidden>") {
		t.Errorf("what was repeated is not there: %s", got)
	}
}

func TestNoSigV4Credentials(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, v := range map[string]string{
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
	} {
		t.Setenv(name, v)
	}
	file := filepath.Join(t.TempDir(), "http.yml")
	write(t, file, "sigv4: {}\n")
	got := readFrom(t, HTTPOptions{URL: "http://127.0.0.1:1", ConfigFile: file}, 0)
	if !strings.Contains(got, "no AWS credentials to sign requests with: ") || !strings.HasSuffix(got, "set sigv4 in the --prometheus-config file, or what the AWS CLI takes") {
		t.Errorf("got %s", got)
	}
}

func TestInvalidSigV4(t *testing.T) {
	for content, want := range map[string]string{
		"sigv4: {region: x, access_key: " + secret + "}\n":               "must provide a AWS SigV4 Access key and Secret Key",
		"sigv4: {regoin: x}\n":                                           "line 1: field regoin not found",
		"sigv4: " + secret + "\n":                                        "line 1: cannot unmarshal !!str",
		"sigv4: {}\nbasic_auth: {username: a, password: " + secret + "}": "at most one of basic_auth, authorization, oauth2 and sigv4",
	} {
		file := filepath.Join(t.TempDir(), "http.yml")
		write(t, file, content)
		_, err := NewHTTP(HTTPOptions{URL: "http://host", ConfigFile: file})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v, want %s", content, err, want)
		}
	}
}

// Via brings its own connections; headers are sent over them, and messages name it.
func TestVia(t *testing.T) {
	server := httptest.NewServer(answer(http.StatusForbidden, "application/json",
		`{"kind":"Status","message":"services \"prometheus\" is forbidden: User \"x\" cannot create resource \"services/proxy\""}`))
	defer server.Close()
	via := &Via{Transport: http.DefaultTransport, Name: "service monitoring/prometheus:9090", Forbidden: "grant it"}
	api, err := NewHTTP(HTTPOptions{URL: server.URL + "/proxy", Via: via})
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&Reader{API: api}).Namespaces(t.Context(), hour())
	const want = `service monitoring/prometheus:9090 answered 403 Forbidden: services "prometheus" is forbidden: User "x" cannot create resource "services/proxy": grant it`
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if api.String() != via.Name {
		t.Errorf("it is called %s", api)
	}
}
