package report

import (
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// Changes are the request and the limit of a container as a line of text each: "1Gi -> 316Mi (-69%)", or "1Gi" where nothing
// is recommended.
func Changes(item scan.Item, r recommender.Resource) (request, limit string) {
	spec, advice := item.Spec[r], item.Advice[r].Bounds
	return joined(diff(r, requestNow(r, spec), Requested(spec), advice.Request)), joined(diff(r, quantity(r, spec.Limit), spec.Limit, advice.Limit))
}

func joined(cells []cell) string {
	switch change := cells[1].text; change {
	case "", "=":
		return cells[0].text
	default:
		return cells[0].text + " (" + change + ")"
	}
}

// ContainerJSON is a container as the report's JSON has it, ready to be encoded.
func (r Report) ContainerJSON(item scan.Item) any { return itemToWire(item, r) }
