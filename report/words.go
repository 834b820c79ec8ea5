package report

import (
	"strconv"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// Words is one value of a container as the table shows it.
type Words struct {
	Text   string // "500m -> 62m", or what is declared where there is no advice
	Change string // "-88%", "new", "removed", "="; empty without advice
}

// WordsOf are the request and the limit of one resource as the table shows them.
func WordsOf(item scan.Item, r recommender.Resource) (request, limit Words) {
	spec, advice := item.Spec[r], item.Advice[r].Bounds
	asked := diff(r, requestNow(r, spec), Requested(spec), advice.Request)
	most := diff(r, quantity(r, spec.Limit), spec.Limit, advice.Limit)
	return Words{asked[0].text, asked[1].text}, Words{most[0].text, most[1].text}
}

// ContainerWord is the container's name, behind which an init container says that it is one.
func ContainerWord(item scan.Item) string { return containerText(item) }

// SeverityWord is the severity as a whole number; empty where nothing is worth changing.
func (r Report) SeverityWord(item scan.Item, res recommender.Resource) string {
	if s := Severity(item, res, r.Least); s > 0 {
		return strconv.Itoa(wholeSeverity(s))
	}
	return ""
}

// Words is the total in a line: "cpu 11.66 -> 2.73 cores (-77%)".
func (t Total) Words(r recommender.Resource) string { return total(r, t) }

// Selection says what the view leaves out; empty where it is nothing.
func (r Report) Selection() string { return r.selection(r.Shown()) }
