// Package slacktest is a server that looks like Slack's to a program that posts: an incoming webhook, and the
// methods of the Web API that post a message and upload files into its thread. It holds what it is sent to
// Slack's rules, and can be told to fail.
package slacktest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What the server knows. None of it opens anything.
const (
	Token       = "xoxb-0123456789-look-alike-token"
	WebhookPath = "/services/T00000000/B00000000/look-alike-webhook-secret"
	UploadKey   = "look-alike-upload-key"
	Channel     = "C0123456789" // also by its name
	ChannelName = "rightsizing"
)

// Where a request goes, for Next and Count.
const (
	Webhook  = "webhook"
	Post     = "chat.postMessage"
	GetURL   = "files.getUploadURLExternal"
	Upload   = "upload"
	Complete = "files.completeUploadExternal"
)

// Server is the look-alike. Close it when done.
type Server struct {
	*httptest.Server

	mu       sync.Mutex
	answers  map[string][]Answer
	counts   map[string]int
	messages []Message
	files    []File
	problems []error
	hung     chan struct{}
	closing  chan struct{}
}

// Message is one that was accepted.
type Message struct {
	Channel string // its ID; empty from a webhook
	TS      string
	Payload []byte // with text and blocks
}

// File is one that was shared in a thread.
type File struct{ Name, Title, Content, Channel, ThreadTS string }

// New starts a server on a free port of the loopback interface.
func New() *Server {
	s := &Server{
		answers: map[string][]Answer{}, counts: map[string]int{},
		hung: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	s.Server = httptest.NewUnstartedServer(s.mux())
	s.Start() // the handlers read the URL, which is there before the first request
	return s
}

// Close ends the server and the requests that hang.
func (s *Server) Close() {
	close(s.closing)
	s.Server.Close()
}

// WebhookURL is the incoming webhook's.
func (s *Server) WebhookURL() string { return s.URL + WebhookPath }

// APIURL is the Web API's.
func (s *Server) APIURL() string { return s.URL + "/api/" }

// Next makes the server give these answers to the next requests that go there, and then its own again.
func (s *Server) Next(where string, answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[where] = append(s.answers[where], answers...)
}

// Count is how many requests went there.
func (s *Server) Count(where string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[where]
}

// Messages are those that were accepted, in their order.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
}

// Files are those that were shared, in their order.
func (s *Server) Files() []File {
	s.mu.Lock()
	defer s.mu.Unlock()
	var shared []File
	for _, f := range s.files {
		if f.Channel != "" {
			shared = append(shared, f)
		}
	}
	return shared
}

// Problems are what was wrong with the messages that were refused.
func (s *Server) Problems() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]error(nil), s.problems...)
}

// Hung gets a value when a request begins to hang.
func (s *Server) Hung() <-chan struct{} { return s.hung }

func (s *Server) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+WebhookPath, s.told(Webhook, s.webhook))
	mux.HandleFunc("POST /api/"+Post, s.told(Post, s.authorized(s.post)))
	mux.HandleFunc("POST /api/"+GetURL, s.told(GetURL, s.authorized(s.getURL)))
	mux.HandleFunc("POST /upload/"+UploadKey+"/{id}", s.told(Upload, s.upload))
	mux.HandleFunc("POST /api/"+Complete, s.told(Complete, s.authorized(s.complete)))
	mux.HandleFunc("/services/", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no_service", http.StatusNotFound) })
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"ok": false, "error": "unknown_method"})
	})
	return mux
}

// told counts the request and gives the answer that was asked for, if any.
func (s *Server) told(where string, handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// Read before anything is answered: the peer would see a broken connection.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		s.mu.Lock()
		s.counts[where]++
		var told *Answer
		if queue := s.answers[where]; len(queue) > 0 {
			told, s.answers[where] = &queue[0], queue[1:]
		}
		s.mu.Unlock()
		if told == nil {
			handler(w, r)
			return
		}
		s.give(w, r, *told)
	}
}

func (s *Server) webhook(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	switch {
	case err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") || !json.Valid(payload):
		http.Error(w, "invalid_payload", http.StatusBadRequest)
	case s.refused(Check(payload)):
		http.Error(w, "invalid_blocks", http.StatusBadRequest)
	default:
		s.accept("", payload)
		fmt.Fprint(w, "ok")
	}
}

func (s *Server) refused(err error) bool {
	if err == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, err)
	return true
}

func (s *Server) accept(channel string, payload []byte) (ts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ts = fmt.Sprintf("1770000000.%06d", len(s.messages)+1)
	s.messages = append(s.messages, Message{channel, ts, payload})
	return ts
}

// authorized looks for the token where slack-go puts it, in the form, and where others do.
func (s *Server) authorized(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("token") != Token && r.Header.Get("Authorization") != "Bearer "+Token {
			reply(w, map[string]any{"ok": false, "error": "invalid_auth"})
			return
		}
		handler(w, r)
	}
}

func reply(w http.ResponseWriter, answer map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	payload, err := json.Marshal(map[string]any{"text": r.FormValue("text"), "blocks": json.RawMessage(r.FormValue("blocks"))})
	if err == nil {
		err = Check(payload)
	}
	channel := strings.TrimPrefix(r.FormValue("channel"), "#")
	switch {
	case channel != Channel && channel != ChannelName:
		reply(w, map[string]any{"ok": false, "error": "channel_not_found"})
	case s.refused(err):
		reply(w, map[string]any{"ok": false, "error": "invalid_blocks", "response_metadata": map[string]any{"messages": []string{"[ERROR] " + err.Error()}}})
	default:
		reply(w, map[string]any{"ok": true, "channel": Channel, "ts": s.accept(Channel, payload)})
	}
}

func (s *Server) getURL(w http.ResponseWriter, r *http.Request) {
	size, err := strconv.Atoi(r.FormValue("length"))
	if err != nil || size <= 0 || r.FormValue("filename") == "" {
		reply(w, map[string]any{"ok": false, "error": "invalid_arguments"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = append(s.files, File{Name: r.FormValue("filename")})
	id := len(s.files)
	reply(w, map[string]any{"ok": true, "upload_url": fmt.Sprintf("%s/upload/%s/%d", s.URL, UploadKey, id), "file_id": fmt.Sprintf("F%d", id)})
}

// file is the file of an ID, nil where there is none. The caller holds the lock.
func (s *Server) file(id string) *File {
	n, err := strconv.Atoi(strings.TrimPrefix(id, "F"))
	if err != nil || n < 1 || n > len(s.files) {
		return nil
	}
	return &s.files[n-1]
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	part, _, err := r.FormFile("file")
	if err != nil {
		http.Error(w, "no file", http.StatusBadRequest)
		return
	}
	content, err := io.ReadAll(part)
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.file(r.PathValue("id"))
	if err != nil || f == nil {
		http.Error(w, "no such upload", http.StatusNotFound)
		return
	}
	f.Content = string(content)
	fmt.Fprintf(w, "OK - %d", len(content))
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request) {
	var files []struct{ ID, Title string }
	err := json.Unmarshal([]byte(r.FormValue("files")), &files)
	channel, thread := r.FormValue("channel_id"), r.FormValue("thread_ts")
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil || len(files) != 1 || s.file(files[0].ID) == nil || s.file(files[0].ID).Content == "":
		reply(w, map[string]any{"ok": false, "error": "file_not_found"})
	case channel != Channel: // a name does not do here
		reply(w, map[string]any{"ok": false, "error": "channel_not_found"})
	case !s.posted(thread):
		reply(w, map[string]any{"ok": false, "error": "invalid_thread_ts"})
	default:
		f := s.file(files[0].ID)
		f.Title, f.Channel, f.ThreadTS = files[0].Title, channel, thread
		reply(w, map[string]any{"ok": true, "files": []map[string]any{{"id": files[0].ID, "title": f.Title}}})
	}
}

// posted says whether there is a message of that time stamp. The caller holds the lock.
func (s *Server) posted(ts string) bool {
	for _, m := range s.messages {
		if m.TS == ts {
			return true
		}
	}
	return false
}

// give gives an answer that was asked for.
func (s *Server) give(w http.ResponseWriter, r *http.Request, a Answer) {
	switch {
	case a.hang:
		select {
		case s.hung <- struct{}{}:
		default:
		}
		select {
		case <-r.Context().Done():
		case <-s.closing:
		case <-time.After(time.Minute): // nobody waits for longer
		}
	case a.broken:
		// The server ends the connection without a word, and without a line in the log.
		panic(http.ErrAbortHandler)
	default:
		for name, value := range a.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(a.status)
		fmt.Fprint(w, a.body)
	}
}
