package model

import "github.com/gopherlens/gopherlens/lensapi/kernels"

// Exp is math.Exp with the same bits on every architecture, for what is computed from logits; see kernels.Exp.
func Exp(x float64) float64 { return kernels.Exp(x) }

// Log is math.Log with the same bits on every architecture; see kernels.Log.
func Log(x float64) float64 { return kernels.Log(x) }
