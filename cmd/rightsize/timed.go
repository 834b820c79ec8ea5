package main

import (
	"context"
	"fmt"
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

// bounded is the context of one request.
func (t timed) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, t.timeout, fmt.Errorf("no answer within --query-timeout %s", t.timeout))
}

// because is why a request failed: that its time was over, where it was, instead of what that led to.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Query implements promquery.API.
func (t timed) Query(ctx context.Context, query string, ts time.Time, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	value, warnings, infos, err := t.api.Query(ctx, query, ts, opts...)
	return value, warnings, infos, because(ctx, err)
}

// QueryRange implements promquery.API.
func (t timed) QueryRange(ctx context.Context, query string, r v1.Range, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	value, warnings, infos, err := t.api.QueryRange(ctx, query, r, opts...)
	return value, warnings, infos, because(ctx, err)
}

// Series implements promquery.API.
func (t timed) Series(ctx context.Context, matches []string, start, end time.Time, opts ...v1.Option) ([]model.LabelSet, v1.Warnings, v1.Infos, error) {
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	sets, warnings, infos, err := t.api.Series(ctx, matches, start, end, opts...)
	return sets, warnings, infos, because(ctx, err)
}
