package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/rightsize/rightsize/prices"
	"github.com/rightsize/rightsize/recommender"
)

// moneyOptions are the flags that say what requests cost.
type moneyOptions struct {
	file     *prices.List // nil without --cost
	price    [recommender.NumResources]*float64
	currency string
}

func (m *moneyOptions) flags() flagGroup {
	cost := newFlagGroup("What it costs")
	cost.Var(value(&m.file, "FILE", readPrices, nil), "cost", "show what requests cost in a month, by a price `FILE`, by namespace too (docs/prices.md)")
	cost.Var(value(&m.price[recommender.CPU], "PRICE", parsePrice, nil), "cpu-price", "or by the price of a core for an hour")
	cost.Var(value(&m.price[recommender.Memory], "PRICE", parsePrice, nil), "memory-price", "and that of a GiB of memory for an hour")
	cost.Var(value(&m.currency, "CODE", prices.ParseCurrency, nil), "currency", "what these prices are in (default "+prices.DefaultCurrency+")")
	return cost
}

// list is nil where no prices are given.
func (m *moneyOptions) list() *prices.List {
	cpu, memory := m.price[recommender.CPU], m.price[recommender.Memory]
	if m.file != nil || cpu == nil || memory == nil {
		return m.file
	}
	currency := m.currency
	if currency == "" {
		currency = prices.DefaultCurrency
	}
	return &prices.List{Currency: currency, Default: prices.Rate{recommender.CPU: *cpu, recommender.Memory: *memory}}
}

// validate refuses half of the prices: what the other half costs is not 0 because nobody said it.
func (m *moneyOptions) validate() error {
	cpu, memory := m.price[recommender.CPU] != nil, m.price[recommender.Memory] != nil
	switch {
	case m.file != nil && (cpu || memory || m.currency != ""):
		return usagef("--cost excludes --cpu-price, --memory-price and --currency: the file has them")
	case cpu && !memory:
		return usagef("--cpu-price goes with --memory-price: give 0 for what costs nothing")
	case memory && !cpu:
		return usagef("--memory-price goes with --cpu-price: give 0 for what costs nothing")
	case m.currency != "" && !cpu:
		return usagef("--currency goes with --cpu-price and --memory-price")
	}
	return nil
}

func parsePrice(s string) (*float64, error) {
	x, err := prices.ParsePrice(s)
	return &x, err
}

func readPrices(path string) (*prices.List, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, plainPathError(err)
	}
	return prices.Parse(path, text)
}

// plainPathError leaves the path out, which the flag's error has.
func plainPathError(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("cannot be read: %w", path.Err)
	}
	return err
}
