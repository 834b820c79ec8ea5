package slacktest

import (
	"fmt"
	"net/http"
	"strconv"
)

// Answer is what the server is told to say instead of what it would.
type Answer struct {
	status       int
	header       map[string]string
	body         string
	hang, broken bool
}

// Status is an answer with a status and a body, as the webhook's errors are: 404, "no_service".
func Status(status int, body string) Answer { return Answer{status: status, body: body} }

// RateLimited asks to wait; Slack gives whole seconds.
func RateLimited(seconds int) Answer {
	return Answer{status: http.StatusTooManyRequests, body: "rate_limited", header: map[string]string{"Retry-After": strconv.Itoa(seconds)}}
}

// APIError is an answer of the Web API's that says no.
func APIError(code string) Answer {
	return Answer{status: http.StatusOK, body: fmt.Sprintf(`{"ok":false,"error":%q}`, code)}
}

// MissingScope is what a token without a scope gets.
func MissingScope(needed, provided string) Answer {
	return Answer{status: http.StatusOK, body: fmt.Sprintf(`{"ok":false,"error":"missing_scope","needed":%q,"provided":%q}`, needed, provided)}
}

// Page is what a proxy says that wants somebody to log in.
func Page() Answer {
	return Answer{status: http.StatusOK, body: "<!DOCTYPE html><html><body>Sign in</body></html>", header: map[string]string{"Content-Type": "text/html"}}
}

// Redirect leads elsewhere.
func Redirect(to string) Answer {
	return Answer{status: http.StatusTemporaryRedirect, header: map[string]string{"Location": to}}
}

// Hang is no answer at all. The client gives up.
func Hang() Answer { return Answer{hang: true} }

// Broken ends the connection instead of answering.
func Broken() Answer { return Answer{broken: true} }
