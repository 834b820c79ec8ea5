package main

import (
	"context"
	"fmt"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/rightsize/rightsize/promquery"
)

// timed asks an API as a promquery.Reader does: each request is bounded, and repeated where what went wrong may pass.
type timed struct {
	api     promquery.API
	timeout time.Duration
	reader  *promquery.Reader // whose patience it is
}

// do sends a request.
func (t timed) do(ctx context.Context, send func(context.Context) error) error {
	return t.reader.Patiently(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeoutCause(ctx, t.timeout, fmt.Errorf("no answer within --query-timeout %s", t.timeout))
		defer cancel()
		err := send(ctx)
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	})
}

// Query implements promquery.API.
func (t timed) Query(ctx context.Context, query string, ts time.Time, opts ...v1.Option) (value model.Value, warnings v1.Warnings, infos v1.Infos, err error) {
	err = t.do(ctx, func(ctx context.Context) error {
		var err error
		value, warnings, infos, err = t.api.Query(ctx, query, ts, opts...)
		return err
	})
	return value, warnings, infos, err
}

// QueryRange implements promquery.API.
func (t timed) QueryRange(ctx context.Context, query string, r v1.Range, opts ...v1.Option) (value model.Value, warnings v1.Warnings, infos v1.Infos, err error) {
	err = t.do(ctx, func(ctx context.Context) error {
		var err error
		value, warnings, infos, err = t.api.QueryRange(ctx, query, r, opts...)
		return err
	})
	return value, warnings, infos, err
}

// Series implements promquery.API.
func (t timed) Series(ctx context.Context, matches []string, start, end time.Time, opts ...v1.Option) (sets []model.LabelSet, warnings v1.Warnings, infos v1.Infos, err error) {
	err = t.do(ctx, func(ctx context.Context) error {
		var err error
		sets, warnings, infos, err = t.api.Series(ctx, matches, start, end, opts...)
		return err
	})
	return sets, warnings, infos, err
}
