// The core for Python: arrays in, arrays out, the interpreter's lock given back while it computes.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "core/bandwidth.h"
#include "core/choosing.h"
#include "core/model.h"

namespace py = pybind11;
using hanlin::Format;
using hanlin::Model;
using hanlin::Number;
using hanlin::Session;
using Wanted = hanlin::Stretch::Logits;

namespace {

template <class T>
using Array = py::array_t<T, py::array::c_style>;

Format format_of(const std::string& name) {
    if (name == "fp32") return Format::fp32;
    if (name == "bf16") return Format::bf16;
    if (name == "int8") return Format::int8;
    if (name == "int4") return Format::int4;
    throw std::invalid_argument("no format " + name);
}

hanlin::Cache cache_of(int bits) {
    if (bits == 32) return hanlin::Cache::fp32;
    if (bits == 16) return hanlin::Cache::half;
    if (bits == 8) return hanlin::Cache::int8;
    throw std::invalid_argument("a cache of " + std::to_string(bits) + " bits");
}

// uint16 stands for bfloat16, which numpy has not.
Number number_of(const py::array& array) {
    if (py::isinstance<py::array_t<float>>(array)) return Number::fp32;
    if (py::isinstance<py::array_t<uint16_t>>(array)) return Number::bf16;
    if (array.dtype().kind() == 'f' && array.itemsize() == 2) return Number::fp16;
    throw std::invalid_argument("numbers must be float32, float16 or uint16");
}

void need(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(what);
}

bool fill(Model& model, const std::string& name, size_t first, const py::array& array,
          float factor) {
    need(array.ndim() == 2, "a matrix has two dimensions");
    const Number kind = number_of(array);
    const py::ssize_t size = array.itemsize();
    need(array.strides(0) % size == 0 && array.strides(1) % size == 0, "strides of whole numbers");
    const hanlin::Source source{static_cast<const uint8_t*>(array.data()),
                                kind,
                                size_t(array.shape(0)),
                                size_t(array.shape(1)),
                                array.strides(0) / size,
                                array.strides(1) / size};
    hanlin::Matrix& matrix = model.matrix(name);
    py::gil_scoped_release free;
    return matrix.fill(first, source, factor);
}

bool fill_int8(Model& model, const std::string& name, size_t first, const Array<int8_t>& codes,
               const Array<float>& scales) {
    hanlin::Matrix& matrix = model.matrix(name);
    need(codes.ndim() == 2 && size_t(codes.shape(1)) == matrix.columns(), "codes of another shape");
    need(scales.size() == codes.shape(0), "a scale a row");
    const size_t rows = size_t(codes.shape(0));
    py::gil_scoped_release free;
    return matrix.fill_int8(first, rows, codes.data(), scales.data());
}

bool fill_int4(Model& model, const std::string& name, size_t first, const Array<uint8_t>& codes,
               const py::array& scales, const py::array& zeros) {
    hanlin::Matrix& matrix = model.matrix(name);
    const auto groups = py::ssize_t(matrix.num_groups());
    need(codes.ndim() == 2 && size_t(codes.shape(1)) == (matrix.columns() + 1) / 2,
         "codes of another shape");
    const size_t rows = size_t(codes.shape(0));
    for (const py::array* part : {&scales, &zeros}) {
        need(number_of(*part) == Number::fp16 && (part->flags() & py::array::c_style) != 0,
             "scales and zeros must be contiguous float16");
        need(part->ndim() == 2 && part->shape(0) == codes.shape(0) && part->shape(1) == groups,
             "scales or zeros of another shape");
    }
    const auto* s = static_cast<const uint16_t*>(scales.data());
    const auto* z = static_cast<const uint16_t*>(zeros.data());
    py::gil_scoped_release free;
    return matrix.fill_int4(first, rows, codes.data(), s, z);
}

hanlin::Vector copy(const Array<float>& array) {
    return hanlin::Vector(array.data(), array.data() + array.size());
}

py::array_t<float> product(Model& model, const std::string& name, const Array<float>& x) {
    const hanlin::Matrix& matrix = model.matrix(name);
    need(x.ndim() == 2 && size_t(x.shape(1)) == matrix.columns(), "activations of another shape");
    const auto rows = size_t(x.shape(0));
    py::array_t<float> y({rows, matrix.rows()});
    float* out = y.mutable_data();
    {
        py::gil_scoped_release free;
        model.product(name, x.data(), rows, out);
    }
    return y;
}

py::array_t<float> read_tokens(Session& session, const Array<int64_t>& tokens, bool all) {
    const auto count = size_t(tokens.size()), vocab = session.vocab();
    // Refused before memory is taken for the logits; `read` refuses it as well.
    need(count <= session.capacity(), "more tokens than the session has room for");
    py::array_t<float> logits(all ? py::array::ShapeContainer{count, vocab}
                                  : py::array::ShapeContainer{vocab});
    float* out = logits.mutable_data();
    {
        py::gil_scoped_release free;
        session.model().read({{&session, tokens.data(), count, all ? Wanted::all : Wanted::last}}, out);
    }
    return logits;
}

py::array_t<float> read_states(Session& session, const Array<int64_t>& tokens) {
    const auto count = size_t(tokens.size());
    need(count <= session.capacity(), "more tokens than the session has room for");
    py::array_t<float> states({count, session.model().shape().width});
    float* out = states.mutable_data();
    {
        py::gil_scoped_release free;
        session.model().read({{&session, tokens.data(), count, Wanted::none}}, nullptr, out);
    }
    return states;
}

// `tokens` are those of all sessions one after another, `counts[i]` of them the i-th session's;
// `wanted[i]` says whether the logits after its last one are returned.
py::array_t<float> read_together(Model& model, const std::vector<Session*>& sessions,
                                 const Array<int64_t>& tokens, const std::vector<size_t>& counts,
                                 const std::vector<bool>& wanted) {
    need(counts.size() == sessions.size() && wanted.size() == sessions.size(),
         "a number of tokens for each session, and whether its logits are wanted");
    std::vector<hanlin::Stretch> stretches;
    const auto total = size_t(tokens.size());
    size_t first = 0, heard = 0;
    for (size_t number = 0; number < sessions.size(); ++number) {
        need(sessions[number] != nullptr, "a session that is none");
        need(counts[number] <= total - first, "fewer tokens than the sessions are to read");
        stretches.push_back({sessions[number], tokens.data() + first, counts[number],
                             wanted[number] ? Wanted::last : Wanted::none});
        first += counts[number];
        heard += wanted[number];
    }
    need(first == total, "more tokens than the sessions are to read");
    py::array_t<float> logits({heard, model.shape().vocab});
    float* out = logits.mutable_data();
    {
        py::gil_scoped_release free;
        model.read(stretches, out);
    }
    return logits;
}

std::unique_ptr<Model> make_model(size_t vocab, size_t context, size_t width, size_t layers,
                                  size_t heads, size_t kv_heads, size_t head_dim, size_t inner,
                                  bool gpt2, bool tied, size_t band, float norm_eps, int threads,
                                  const std::string& instructions) {
    const hanlin::Shape shape{vocab,    context, width, layers, heads, kv_heads,
                              head_dim, inner,   gpt2,  tied,   band,  norm_eps};
    return std::make_unique<Model>(shape, threads, instructions);
}

// The instruction sets of this machine that are built, or those that are not; the fastest first.
py::list set_names(bool built) {
    py::list names;
    for (const hanlin::InstructionSet& set : hanlin::instruction_sets())
        if (set.on_machine && (set.kernels != nullptr) == built) names.append(set.name);
    return names;
}

}  // namespace

PYBIND11_MODULE(_core, module) {
    module.doc() = "The native engine's core; hanlin.generation.native is its interface.";
    module.def("instruction_sets", [] { return set_names(true); });
    module.def("left_out", [] { return set_names(false); });
    module.def("read_bandwidth", &hanlin::read_bandwidth, py::arg("megabytes"), py::arg("threads"),
               py::arg("rounds"), py::call_guard<py::gil_scoped_release>());
    py::class_<Model>(module, "Model")
        .def(py::init(&make_model), py::kw_only(), py::arg("vocab"), py::arg("context"),
             py::arg("width"), py::arg("layers"), py::arg("heads"), py::arg("kv_heads"),
             py::arg("head_dim"), py::arg("inner"), py::arg("gpt2"), py::arg("tied"),
             py::arg("band"), py::arg("norm_eps"), py::arg("threads"), py::arg("instructions"))
        .def("add",
             [](Model& model, const std::string& name, size_t rows, size_t columns,
                const std::string& format, int group) {
                 model.matrix(name) = hanlin::Matrix(rows, columns, format_of(format), group);
             })
        .def("fill", &fill)
        .def("fill_int8", &fill_int8)
        .def("fill_int4", &fill_int4)
        .def("set_vector", [](Model& model, const std::string& name,
                              const Array<float>& values) { model.vector(name) = copy(values); })
        .def("set_rotary", [](Model& model, const Array<float>& frequencies) {
            model.set_rotary(copy(frequencies));
        })
        .def("seal", &Model::seal)
        .def("product", &product)
        .def("read", &read_together, py::arg("sessions"), py::arg("tokens"), py::arg("counts"),
             py::arg("wanted"))
        .def_property_readonly("instructions", &Model::instructions)
        .def_property_readonly("threads", &Model::threads)
        .def_property_readonly("weight_bytes", &Model::weight_bytes)
        .def_property_readonly("bytes_per_token", &Model::bytes_per_token);
    py::class_<Session>(module, "Session")
        .def(py::init([](Model& model, size_t capacity, int cache_bits) {
                 return std::make_unique<Session>(model, capacity, cache_of(cache_bits));
             }),
             py::keep_alive<1, 2>(), py::arg("model"), py::arg("capacity"),
             py::arg("cache_bits") = 32)
        .def("read", &read_tokens, py::arg("tokens"), py::arg("all") = false)
        .def("states", &read_states, py::arg("tokens"))
        .def("rewind", &Session::rewind)
        .def("take_over", &Session::take_over, py::arg("other"), py::arg("length"),
             py::call_guard<py::gil_scoped_release>())
        .def_property_readonly("length", &Session::length)
        .def_property_readonly("capacity", &Session::capacity)
        .def_property_readonly("cache_bits", [](const Session& session) {
            return 8 * hanlin::bytes_of_number(session.cache());
        })
        .def_property_readonly("bytes", &Session::bytes);
}
