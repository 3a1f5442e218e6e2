//go:build !amd64

package kernels

// Without vectors all elements are left to the portable twins.

func vectorGELU(dst, x []float32) int                                                     { return 0 }
func vectorGELUTanh(dst, x []float32) int                                                 { return 0 }
func vectorSiLU(dst, x []float32) int                                                     { return 0 }
func vectorSoftCap(dst, x []float32, limit float64) int                                   { return 0 }
func vectorTimes(dst, x []float32, f float32) int                                         { return 0 }
func vectorAdd(dst, a, b []float32) int                                                   { return 0 }
func vectorMul(dst, a, b []float32) int                                                   { return 0 }
func vectorScale(dst, x, gain, bias []float32) int                                        { return 0 }
func vectorAffine(dst, x []float32, mean, factor float64) int                             { return 0 }
func vectorRotate(dst, x, sin, cos []float32) int                                         { return 0 }
func vectorSum(acc *[lanes]float64, x []float32) int                                      { return 0 }
func vectorSquares(acc *[lanes]float64, x []float32, mean float64) int                    { return 0 }
func vectorMax(acc *[lanes]float32, x []float32) int                                      { return 0 }
func vectorExpSum(acc *[lanes]float32, x []float32, top float32) int                      { return 0 }
func vectorMoments(sum, dot *[lanes64]float64, e []float64, x []float32, top float64) int { return 0 }
func vectorCross(acc *[lanes64]float64, e []float64, a, b []float32) int                  { return 0 }
func vectorAbove(mask []uint16, x []float32, limit float32) int                           { return 0 }
