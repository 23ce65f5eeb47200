// SPDX-License-Identifier: MIT

package image

//go:generate go run crctl/internal/gencontract -header ../kmod/uapi/ckpt_image.h -o records_gen.go -pkg image
