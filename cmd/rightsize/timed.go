package main

import (
	"context"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/promquery"
)

// timed bounds each request to an API, as a promquery.Reader does its own.
type timed struct {
	api     promquery.API
	timeout time.Duration
}

// Query implements promquery.API.
func (t timed) Query(ctx context.Context, query string, ts time.Time, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	return t.api.Query(ctx, query, ts, opts...)
}

// QueryRange implements promquery.API.
func (t timed) QueryRange(ctx context.Context, query string, r v1.Range, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	return t.api.QueryRange(ctx, query, r, opts...)
}

// Series implements promquery.API.
func (t timed) Series(ctx context.Context, matches []string, start, end time.Time, opts ...v1.Option) ([]model.LabelSet, v1.Warnings, v1.Infos, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	return t.api.Series(ctx, matches, start, end, opts...)
}
