package main

import (
	"time"

	"github.com/rightsize/rightsize/backtest"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/scan"
)

const (
	// heldOutTest is how much of the window's end policies are held against: two days, as backtest does it.
	heldOutTest = 2 * 24 * time.Hour

	// heldOutTrain is the least to learn from: fewer than five days would not tell a working day from a weekend.
	heldOutTrain = 5 * 24 * time.Hour
)

// heldOutFlag is of whoever shows how the policy in use did.
func (o *options) heldOutFlag(to flagGroup) {
	to.BoolVar(&o.heldOut, "held-out", true, "hold the memory limits against the last 2d of the window, as they would have been learnt before, where that is 7d or longer")
}

// holdOut has the policies in use learn from all but the window's last days and be held against these, container by
// container, as usage is read. It is nil where the window is too short, or where nobody would see it.
func (o *options) holdOut(plan *scan.Plan) *backtest.OutOfSample {
	train := plan.Window.Length - heldOutTest
	shows := o.format.Write != nil && o.format.Name != "csv" && o.view.view().Shows(recommender.Memory)
	if !o.heldOut || !shows || train < heldOutTrain {
		return nil
	}
	folds := backtest.Plan{
		Train: train, Test: heldOutTest, MinTrain: plan.Policy.MinCoverage,
		Start: plan.Window.Start(), Until: plan.Window.Until,
	}
	h := &backtest.OutOfSample{Policy: plan.Policy.Name, Train: train, Test: heldOutTest}
	plan.Unreplayed[recommender.CPU] = true
	plan.Replay = func(t scan.Timeline) {
		own := plan.Policy
		if t.Item.Policy != nil {
			own = *t.Item.Policy
		}
		result := replay(t, plan.Window, folds, []backtest.Policy{backtest.Of(own.Name, "in use", own)}, t.Item.Policy)
		h.Add(result.Scores[0][recommender.Memory])
	}
	return h
}
