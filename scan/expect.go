package scan

import (
	"context"

	"github.com/rightsize/rightsize/promquery"
	"github.com/rightsize/rightsize/recommender"
)

// Expecter is a Source that can tell what reading would take without reading. *promquery.Reader is one.
type Expecter interface {
	Index(ctx context.Context, namespace string, w recommender.Window) (promquery.Index, error)
	Expect(ctx context.Context, b promquery.Batch, w recommender.Window) (promquery.Expected, error)
}

// Expectation is what a namespace of a plan would take.
type Expectation struct {
	Namespace  string
	Containers int // that are declared and asked for
	Pods       int // theirs, over the whole window
	Series     int // of usage, the whole namespace's
	promquery.Expected
}

// indexRequests is how many requests an index takes.
const indexRequests = 2

// Expect says what Run would take, by namespace, without reading any usage.
func Expect(ctx context.Context, src Expecter, plan Plan) ([]Expectation, error) {
	s := &scanner{plan: plan}
	var all []Expectation
	for _, n := range s.split() {
		index, err := src.Index(ctx, n.name, plan.Window)
		if err != nil {
			return nil, err
		}
		p := sortOut(index, plan.Declared[n.name], plan.Owners[n.name])
		e := Expectation{Namespace: n.name, Containers: len(n.containers), Series: index.Series, Expected: promquery.Expected{Requests: indexRequests}}
		for _, b := range s.batches(n, p) {
			e.Pods += len(b.pods)
			if len(b.pods) == 0 {
				continue
			}
			read, err := src.Expect(ctx, b.selection(n.name, p, plan.Window, b.runs()), plan.Window)
			if err != nil {
				return nil, err
			}
			e.Requests += read.Requests
			e.Samples += read.Samples
		}
		all = append(all, e)
	}
	return all, nil
}
