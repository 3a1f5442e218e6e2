package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// function starts a function that neither grows the stack nor lets its pointers escape.
func function(c *build.Context, name, signature, doc string) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr(signature)
	c.Doc(doc)
	c.Pragma("noescape")
}

func base(c *build.Context) {
	function(c, "cpuid1", "func() uint32", "cpuid1 returns ECX of CPUID leaf 1: the features that golang.org/x/sys/cpu does not tell of.")
	c.XORL(reg.ECX, reg.ECX)
	c.MOVL(operand.U32(1), reg.EAX)
	c.CPUID()
	c.Store(reg.ECX, c.ReturnIndex(0))
	c.RET()

	function(c, "pause", "func(n int)", "pause waits for n turns of a loop, gentle to the other thread of the core.")
	n := c.Load(c.Param("n"), c.GP64())
	c.Label("turn")
	c.PAUSE()
	c.DECQ(n)
	c.JNZ(operand.LabelRef("turn"))
	c.RET()
}
