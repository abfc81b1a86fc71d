import onnx

from profilers.tensorrt.tensor_facts import SHAPE_INPUTS, SHAPED_BY_DATA


def test_every_operator_is_one_of_onnx() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    assert {*SHAPED_BY_DATA, *SHAPE_INPUTS} - known == set()


def test_inputs_that_give_shapes_are_integers() -> None:
    # A place that is off by one would name an input of any type. Range's may be floats.
    for name, places in SHAPE_INPUTS.items():
        schema = onnx.defs.get_schema(name, 17)
        for place in places if name not in ("Range", "OneHot") else ():
            kinds = {
                kind
                for constraint in schema.type_constraints
                if constraint.type_param_str == schema.inputs[place].type_str
                for kind in constraint.allowed_type_strs
            } or {schema.inputs[place].type_str}
            assert kinds <= {"tensor(int64)", "tensor(int32)"}, (name, place)
