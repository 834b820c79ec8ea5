// Package prices knows what requests cost: a price of a core and of a GiB for an hour, by namespace where they differ.
package prices

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/rightsize/rightsize/recommender"
)

// HoursPerMonth is a twelfth of a year of 365 days, as the price lists of clouds have it.
const HoursPerMonth = 730

// DefaultCurrency is what amounts are in where nobody says.
const DefaultCurrency = "USD"

// maxPrice bounds a price, so that sums stay exact: no cloud asks a million an hour for a core, in any currency.
const maxPrice = 1e6

// Rate is what an hour costs: of a core, and of a GiB of memory.
type Rate [recommender.NumResources]float64

// Month is what so much of a resource, in cores or bytes, costs in a month.
func (r Rate) Month(res recommender.Resource, amount float64) float64 {
	if res == recommender.Memory {
		amount /= 1 << 30
	}
	return amount * r[res] * HoursPerMonth
}

// List is the prices of a cluster.
type List struct {
	Currency   string
	Default    Rate
	Namespaces map[string]Rate // of those that have others
}

// Of is the rate of a namespace.
func (l List) Of(namespace string) Rate {
	if rate, ok := l.Namespaces[namespace]; ok {
		return rate
	}
	return l.Default
}

// Only is the list as the namespaces see it: without the prices of others.
func (l List) Only(namespaces []string) List {
	out := List{Currency: l.Currency, Default: l.Default, Namespaces: map[string]Rate{}}
	for _, name := range namespaces {
		if rate, ok := l.Namespaces[name]; ok {
			out.Namespaces[name] = rate
		}
	}
	return out
}

// ParsePrice reads a price of an hour: 0, or a decimal number up to a million. The error says what is allowed.
func ParsePrice(s string) (float64, error) {
	const want = "want a price of an hour from 0 to 1000000, such as 0.0316"
	if s == "" || strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, errors.New(want)
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || !(x >= 0 && x <= maxPrice) {
		return 0, errors.New(want)
	}
	return x + 0, nil // -0 becomes 0
}

// maxCurrency is how long the text of a currency may be, in characters.
const maxCurrency = 8

// ParseCurrency reads what stands behind amounts: a code or a sign, without blanks, digits and what divides numbers.
func ParseCurrency(s string) (string, error) {
	letters := []rune(s)
	allowed := func(r rune) bool { return unicode.IsLetter(r) || unicode.Is(unicode.Sc, r) }
	if len(letters) == 0 || len(letters) > maxCurrency || slices.ContainsFunc(letters, func(r rune) bool { return !allowed(r) }) {
		return "", fmt.Errorf("want a code such as USD or EUR, of at most %d letters", maxCurrency)
	}
	return s, nil
}
