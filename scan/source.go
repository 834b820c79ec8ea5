// Package scan is the one pipeline: it asks a Source what containers used, finds out whose usage it was,
// and gets recommendations for it, in order and in bounded memory.
package scan

import (
	"context"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
)

// Source tells what containers used. *promquery.Reader is one, over HTTP or over a data folder.
//
// Errors are what went wrong, never a way of saying that there is nothing.
type Source interface {
	// Namespaces lists the namespaces that have usage in the window, sorted.
	Namespaces(context.Context, recommender.Window) ([]string, error)
	// Index lists the pods of a namespace that have usage in the window, and who owned them.
	Index(ctx context.Context, namespace string, w recommender.Window) (promquery.Index, error)
	// Read hands the batch's series to visit, one call at a time, each point of each once, and returns
	// the rest of what it learnt.
	Read(ctx context.Context, b promquery.Batch, w recommender.Window, visit func(promquery.Series)) (promquery.Facts, error)
}
