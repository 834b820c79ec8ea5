package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/rightsize/rightsize/prices"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// Cents are hundredths of a currency. A container's cost of each resource is rounded to them once, and whatever is a
// sum is a sum of these: so all amounts of a report add up as they are shown, in every format. The price is an error of
// at most half a cent for each of them.
type Cents int64

// maxCents is the most that one container may cost, so that no sum of a report overflows.
const maxCents = 1e13

// toCents rounds halves away from zero; x is in the currency's unit and at least 0.
func toCents(x float64) Cents { return Cents(math.Min(math.Round(x*100), maxCents)) }

// String is "1234.56".
func (c Cents) String() string {
	sign := ""
	if c < 0 {
		sign, c = "-", -c
	}
	return fmt.Sprintf("%s%d.%02d", sign, c/100, c%100)
}

// Float is the amount in the currency's unit.
func (c Cents) Float() float64 { return float64(c) / 100 }

// Cost is what requests cost in a month, as they are declared and once the advice is taken.
type Cost struct{ Now, After Cents }

// Saved is negative where the advice costs more. It never exceeds Now, since nothing costs less than nothing.
func (c Cost) Saved() Cents { return c.Now - c.After }

func (c Cost) plus(d Cost) Cost { return Cost{c.Now + d.Now, c.After + d.After} }

// change is "12.00 less", "3.00 more" or "no change".
func (c Cost) change() string {
	switch saved := c.Saved(); {
	case saved > 0:
		return saved.String() + " less"
	case saved < 0:
		return (-saved).String() + " more"
	default:
		return "no change"
	}
}

// NamespaceCost is what the requests of one namespace cost in a month.
type NamespaceCost struct {
	Cluster, Namespace string
	Cost
}

// Money is what the requests of a report cost in a month, over all replicas. It counts what Totals counts, of the
// shown resources.
type Money struct {
	Prices     prices.List
	Resources  [recommender.NumResources]Cost
	Namespaces []NamespaceCost // in the report's order

	costs map[recommender.ID][recommender.NumResources]Cost
}

// Money prices the report's requests; nil where it has no prices. A container that requests nothing, and has no limit,
// counts as 0 now, as in Totals.
func (r Report) Money() *Money {
	if r.Prices == nil {
		return nil
	}
	m := &Money{Prices: *r.Prices, costs: map[recommender.ID][recommender.NumResources]Cost{}}
	for rest := r.Items; len(rest) > 0; {
		n := 1
		for n < len(rest) && sameWorkload(rest[n].ID, rest[0].ID) {
			n++
		}
		m.add(rest[:n], r.View.Resources())
		rest = rest[n:]
	}
	return m
}

// add adds the containers of one workload.
func (m *Money) add(items []scan.Item, resources []recommender.Resource) {
	id := items[0].ID
	if last := len(m.Namespaces) - 1; last < 0 || m.Namespaces[last].Namespace != id.Namespace || m.Namespaces[last].Cluster != id.Cluster {
		m.Namespaces = append(m.Namespaces, NamespaceCost{Cluster: id.Cluster, Namespace: id.Namespace})
	}
	space, rate := &m.Namespaces[len(m.Namespaces)-1], m.Prices.Of(id.Namespace)
	for _, res := range resources {
		for i, c := range charges(items, res) {
			cost := Cost{toCents(rate.Month(res, c.now)), toCents(rate.Month(res, c.after))}
			of := m.costs[items[i].ID]
			of[res] = cost
			m.costs[items[i].ID] = of
			m.Resources[res], space.Cost = m.Resources[res].plus(cost), space.plus(cost)
		}
	}
}

// Of is what a container's requests of one resource cost in a month.
func (m *Money) Of(id recommender.ID, res recommender.Resource) Cost { return m.costs[id][res] }

// Total is the sum of all.
func (m *Money) Total() (total Cost) {
	for _, c := range m.Resources {
		total = total.plus(c)
	}
	return total
}

// amount is "12.00 -> 9.00 USD a month (3.00 less)".
func (m *Money) amount(c Cost) string {
	return fmt.Sprintf("%s -> %s %s a month (%s)", c.Now, c.After, m.Prices.Currency, c.change())
}

// Summary is what all requests cost in a line.
func (m *Money) Summary() string { return "Requests cost: " + m.amount(m.Total()) }

// MoneyLines say what the report's requests cost, in plain text for formats to put below their rows; none where there
// are no prices.
func (r Report) MoneyLines() []string {
	m := r.Money()
	if m == nil {
		return nil
	}
	var parts []string
	for _, res := range r.View.Resources() {
		parts = append(parts, res.String()+" "+m.amount(m.Resources[res]))
	}
	lines := []string{m.Summary()}
	if len(parts) > 1 {
		lines = append(lines, "Of that: "+strings.Join(parts, "; "))
	}
	var names []string
	for _, n := range m.Namespaces {
		names = append(names, n.Namespace)
	}
	if len(m.Namespaces) > 1 {
		for _, n := range m.Namespaces {
			name := strings.TrimPrefix(n.Cluster+"/"+n.Namespace, "/")
			lines = append(lines, fmt.Sprintf("Namespace %s: %s", recommender.Printable(name), m.amount(n.Cost)))
		}
	}
	lines = append(lines, fmt.Sprintf("At %s; a month is %d hours", m.Prices.Only(names), prices.HoursPerMonth))
	return append(lines, r.caveats(m)...)
}

// caveats say what the amounts are not.
func (r Report) caveats(m *Money) (lines []string) {
	totals := r.Totals()
	var freed []string
	for _, res := range r.View.Resources() {
		t := totals[res]
		if t.Unset > 0 {
			lines = append(lines, fmt.Sprintf("Counted as 0 now: %s of %s without request and limit", res, recommender.Count(t.Unset, "container")))
		}
		if t.After < t.Now {
			freed = append(freed, totalAmount(res, t.Now-t.After)+map[bool]string{true: " cores", false: " of memory"}[res == recommender.CPU])
		}
	}
	switch saved := m.Total().Saved(); {
	case saved > 0 && len(freed) > 0:
		lines = append(lines, "Possible, not certain: "+strings.Join(freed, " and ")+" of requests would be free, and the bill falls only if nodes go")
	case saved > 0: // by what is requested at other prices
		lines = append(lines, "Possible, not certain: the bill falls only if nodes go")
	case saved < 0:
		lines = append(lines, "It costs more than now: requests are below what the policy asks for")
	}
	return lines
}
