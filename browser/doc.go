// Package browser holds the report's page to a real browser: its tests click, type and look as a person does. It is a
// module of its own, so that what drives the browser is no dependency of the tool.
package browser
