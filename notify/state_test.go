package notify

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// open is a container to change, to that many cores.
func open(name string, cores float64) scan.Item {
	fits := bounds(64*mi, 128*mi)
	return item(name, bounds(4, 4), bounds(cores, cores), fits, fits)
}

func closed(name string) scan.Item {
	fits, memory := bounds(4, 4), bounds(64*mi, 128*mi)
	return item(name, fits, fits, memory, memory)
}

func TestCompare(t *testing.T) {
	first, s := compare(nil, reportOf(open("a", 1), open("b", 1), open("c", 1), open("d", 1), open("e", 1), closed("f")), "shop")
	if !first.first || len(s.Open) != 5 {
		t.Fatalf("first = %+v, open %v", first, s.Open)
	}
	// a as it was, b a little and c much other, d changed, e without data, f to change now, g new, h gone before
	now := reportOf(open("a", 1), open("b", 1.05), open("c", 2), closed("d"), silent("e"), open("f", 1), open("g", 1))
	second, s := compare(&s, now, "shop")
	if got, want := second.text(false), "*Since 2026-02-02*: *2* new (`deployment/f app`, `deployment/g app`), *1* resolved, *2* unchanged, "+
		"*1* with other amounts (`deployment/c app`), *1* without advice this time"; got != want {
		t.Errorf("second = %s\nwant %s", got, want)
	}
	// what was not known last time is not new, and one that is gone is resolved
	third, _ := compare(&s, reportOf(open("e", 1), open("f", 1)), "shop")
	if got, want := third.text(false), "*Since 2026-02-02*: *0* new, *4* resolved, *2* unchanged"; got != want {
		t.Errorf("third = %s, want %s", got, want)
	}
	other, next := compare(&s, now, "stage")
	if got := other.text(false); !strings.Contains(got, "the last message was about `shop`") || next.Scope != "stage" {
		t.Errorf("another scope: %s, %+v", got, next)
	}
}

// What may not be listed this time is not resolved, and what it said to change is kept for the next time.
func TestUnlistedIsNotResolved(t *testing.T) {
	_, s := compare(nil, reportOf(open("a", 1), open("b", 1)), "shop")
	partial := reportOf(closed("b"))
	partial.Unlisted = []string{"deployments.apps"}
	c, s := compare(&s, partial, "shop")
	if got, want := c.text(false), "*Since 2026-02-02*: *0* new, *1* resolved, *0* unchanged, *1* without advice this time"; got != want {
		t.Errorf("compare = %s, want %s", got, want)
	}
	if c, _ = compare(&s, reportOf(open("a", 1), closed("b")), "shop"); c.unchanged != 1 || len(c.fresh) > 0 {
		t.Errorf("compare = %+v, want one unchanged", c)
	}
}

// A limit alone is a change too: one that an OOM kill raises must not pass for unchanged.
func TestLimitsShowInTheState(t *testing.T) {
	_, s := compare(nil, reportOf(item("a", bounds(1, 1), bounds(1, 1), bounds(64*mi, 128*mi), bounds(64*mi, 256*mi))), "")
	c, _ := compare(&s, reportOf(item("a", bounds(1, 1), bounds(1, 1), bounds(64*mi, 128*mi), bounds(64*mi, 512*mi))), "")
	if len(c.moved) != 1 {
		t.Errorf("compare = %+v, want one with other amounts", c)
	}
}

func TestStateSurvives(t *testing.T) {
	_, s := compare(nil, sample(), "namespace shop")
	packed, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.encode()
	if err != nil || !bytes.Equal(packed, again) {
		t.Errorf("twice the same state is not the same: %v", err)
	}
	got, err := decodeState(packed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&s, got); diff != "" {
		t.Errorf("state (-kept +read):\n%s", diff)
	}
}

func bigState(n int) state {
	s := state{Version: stateVersion, Until: until(), Open: map[string][2]float64{}}
	for i := range n {
		id := recommender.ID{Namespace: "shop", Kind: "Deployment", Workload: fmt.Sprintf("w%d", i), Container: "app"}
		s.Open[key(id)] = [2]float64{float64(i%4000) / 1000, float64(i%8000) * mi}
	}
	return s
}

func TestStateOfTenThousandFits(t *testing.T) {
	packed, err := bigState(10_000).encode()
	if err != nil || len(packed) > maxState/3 {
		t.Errorf("%d bytes, %v", len(packed), err)
	}
	if s, err := decodeState(packed); err != nil || len(s.Open) != 10_000 {
		t.Errorf("decodeState: %v", err)
	}
}

func TestStateThatIsTooBigIsRefused(t *testing.T) {
	_, err := bigState(60_000).encode()
	if err == nil || !strings.Contains(err.Error(), "KiB and may have 900: post fewer namespaces in one run") {
		t.Errorf("encode: %v", err)
	}
}

func packed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestStatesThatCannotBeUsed(t *testing.T) {
	whole := packed(t, `{"version":1,"open":{}}`)
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"text":      {[]byte("hello"), "it is not what rightsize wrote: delete it to start anew"},
		"cut":       {whole[:len(whole)-4], "it is damaged: delete it to start anew"},
		"no JSON":   {packed(t, "hello"), "it is damaged"},
		"other":     {packed(t, `{"version":1,"open":[]}`), "it is damaged"},
		"version":   {packed(t, `{"version":2,"open":[]}`), "it is of version 2, which this rightsize does not know: use the one that wrote it, or delete it"},
		"unversion": {packed(t, `{}`), "it is of version 0"},
		"bomb":      {packed(t, strings.Repeat(" ", maxStateText+2)), "it is damaged"},
	} {
		if _, err := decodeState(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func FuzzDecodeState(f *testing.F) {
	f.Add([]byte("hello"))
	s := bigState(3)
	text, err := s.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := decodeState(text)
		if (s == nil) == (err == nil) {
			t.Errorf("decodeState = %v, %v", s, err)
		}
		if s != nil {
			_, _ = compare(s, sample(), s.Scope)
		}
	})
}

func TestStateFile(t *testing.T) {
	ctx := t.Context()
	file := StateFile(filepath.Join(t.TempDir(), "state"))
	if text, err := file.Load(ctx); text != nil || err != nil {
		t.Errorf("nothing saved yet: %q, %v", text, err)
	}
	for _, want := range []string{"one", "two"} {
		if err := file.Save(ctx, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if text, err := file.Load(ctx); string(text) != want || err != nil {
			t.Errorf("Load = %q, %v, want %q", text, err, want)
		}
	}
	left, err := os.ReadDir(filepath.Dir(string(file)))
	if err != nil || len(left) != 1 {
		t.Errorf("left beside the state: %v, %v", left, err)
	}
	if _, err := StateFile(t.TempDir()).Load(ctx); err == nil {
		t.Error("a folder was read as a state")
	}
	if err := StateFile(filepath.Join(t.TempDir(), "none", "state")).Save(ctx, nil); err == nil {
		t.Error("a state was written into a folder that is not there")
	}
}

// cluster is an API server with one ConfigMap, which it versions as the real one does.
type cluster struct {
	mu      sync.Mutex
	stored  *v1.ConfigMap
	version int
	before  func() // an update is looked at
	deny    string // HTTP method that is forbidden
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/api/v1/namespaces/rightsize/configmaps/state" || c.stored == nil {
		status(w, http.StatusNotFound, metav1.StatusReasonNotFound)
		return
	}
	if r.Method == c.deny {
		status(w, http.StatusForbidden, metav1.StatusReasonForbidden)
		return
	}
	if r.Method == http.MethodPut {
		if c.before != nil {
			c.before()
		}
		c.put(w, r)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	write(w, http.StatusOK, c.stored)
}

func (c *cluster) put(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var given v1.ConfigMap
	switch err := json.NewDecoder(r.Body).Decode(&given); {
	case err != nil:
		status(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
	case given.ResourceVersion != c.stored.ResourceVersion:
		status(w, http.StatusConflict, metav1.StatusReasonConflict)
	default:
		c.touch()
		given.ResourceVersion = c.stored.ResourceVersion
		c.stored = &given
		write(w, http.StatusOK, c.stored)
	}
}

// touch is what somebody else's change does. The caller holds the lock.
func (c *cluster) touch() {
	c.version++
	c.stored.ResourceVersion = fmt.Sprint(c.version)
}

func status(w http.ResponseWriter, code int, reason metav1.StatusReason) {
	write(w, code, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: reason, Code: int32(code), Message: "the server says " + string(reason)})
}

func write(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}

func newCluster(t *testing.T) (*cluster, StateConfigMap) {
	t.Helper()
	c := &cluster{stored: &v1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: "state", Namespace: "rightsize", ResourceVersion: "0", Labels: map[string]string{"app": "rightsize"}},
		Data:       map[string]string{"mine": "stays"},
	}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	if err != nil {
		t.Fatal(err)
	}
	return c, StateConfigMap{Client: client.CoreV1().ConfigMaps("rightsize"), Namespace: "rightsize", Name: "state"}
}

func TestStateConfigMap(t *testing.T) {
	c, store := newCluster(t)
	if text, err := store.Load(t.Context()); text != nil || err != nil {
		t.Errorf("nothing saved yet: %q, %v", text, err)
	}
	want := []byte{0x1f, 0x8b, 0, 0xff}
	if err := store.Save(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if text, err := store.Load(t.Context()); !bytes.Equal(text, want) || err != nil {
		t.Errorf("Load = %q, %v", text, err)
	}
	if c.stored.Data["mine"] != "stays" || c.stored.Labels["app"] != "rightsize" {
		t.Errorf("what is not ours has changed: %+v", c.stored)
	}
}

func TestStateConfigMapConflicts(t *testing.T) {
	c, store := newCluster(t)
	conflicts := 3
	c.before = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if conflicts > 0 {
			conflicts--
			c.touch()
		}
	}
	if err := store.Save(t.Context(), []byte("x")); err != nil || string(c.stored.BinaryData[stateKey]) != "x" {
		t.Errorf("three conflicts: %v", err)
	}
	conflicts = 9
	if err := store.Save(t.Context(), []byte("y")); err == nil {
		t.Error("nine conflicts: no error")
	}
}

func TestStateConfigMapErrors(t *testing.T) {
	c, store := newCluster(t)
	c.deny = http.MethodGet
	_, err := store.Load(t.Context())
	wantError(t, err, "reading the state: not allowed to get configmaps named state in namespace rightsize: grant get,update on that name")
	c.deny = http.MethodPut
	wantError(t, store.Save(t.Context(), nil), "writing the state: not allowed to update configmaps named state in namespace rightsize")
	c.stored = nil
	_, err = store.Load(t.Context())
	wantError(t, err, "reading the state: there is no configmap/state of namespace rightsize: make it with kubectl create configmap state -n rightsize")
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	cancel(stopped)
	if _, err := store.Load(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, stopped) {
		t.Errorf("cancelled: %v", err)
	}
}
