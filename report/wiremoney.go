package report

import (
	"github.com/rightsize/rightsize/prices"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

// wireMoney is what requests cost in a month, in the currency's unit with two decimals. Sums are those of the
// containers' amounts as they are shown.
type wireMoney struct {
	Currency      string              `json:"currency"`
	HoursPerMonth int                 `json:"hoursPerMonth"`
	Prices        wireRate            `json:"prices"`
	Others        map[string]wireRate `json:"namespacePrices,omitempty"` // of namespaces that have others
	Total         wireCost            `json:"total"`
	Resources     map[string]wireCost `json:"resources"`
	Namespaces    []wireNamespaceCost `json:"namespaces"`
}

// wireRate is the price of an hour.
type wireRate struct {
	Core float64 `json:"coreHour"`
	GiB  float64 `json:"gibHour"`
}

type wireCost struct {
	Now   float64 `json:"now"`
	After float64 `json:"after"`
	Saved float64 `json:"saved"` // negative where the advice costs more
}

type wireNamespaceCost struct {
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace"`
	wireCost  `json:",inline"`
}

func rateToWire(r prices.Rate) wireRate {
	return wireRate{r[recommender.CPU], r[recommender.Memory]}
}

func costToWire(c Cost) wireCost {
	return wireCost{c.Now.Float(), c.After.Float(), c.Saved().Float()}
}

// moneyToWire adds what things cost to a report and to its containers, which are the shown ones; nothing without prices.
func moneyToWire(r Report, out *wireReport) {
	m := r.Money()
	if m == nil {
		return
	}
	out.Money = &wireMoney{
		Currency: m.Prices.Currency, HoursPerMonth: prices.HoursPerMonth, Prices: rateToWire(m.Prices.Default),
		Total: costToWire(m.Total()), Resources: map[string]wireCost{}, Namespaces: []wireNamespaceCost{}, Others: map[string]wireRate{},
	}
	for name, rate := range m.Prices.Namespaces {
		out.Money.Others[name] = rateToWire(rate)
	}
	for _, n := range m.Namespaces {
		out.Money.Namespaces = append(out.Money.Namespaces, wireNamespaceCost{n.Cluster, n.Namespace, costToWire(n.Cost)})
	}
	for _, res := range r.View.Resources() {
		out.Money.Resources[res.String()] = costToWire(m.Resources[res])
		for i, item := range r.Shown() {
			of := out.Containers[i].Resources[res.String()]
			cost := costToWire(m.Of(item.ID, res))
			of.Money = &cost
			out.Containers[i].Resources[res.String()] = of
		}
	}
}

// csvMoneyColumns come last, and only with prices.
func csvMoneyColumns() []string { return []string{"currency", "cost_month_now", "cost_month"} }

// csvMoney is what goes into them.
func csvMoney(m *Money, item scan.Item, res recommender.Resource) []string {
	if m == nil {
		return nil
	}
	cost := m.Of(item.ID, res)
	return []string{m.Prices.Currency, cost.Now.String(), cost.After.String()}
}
