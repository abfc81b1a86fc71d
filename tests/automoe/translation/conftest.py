from support.exported_model import folder, model, vocabulary

__all__ = ["folder", "model", "vocabulary"]
