"""qna.yaml trees become Seeds."""
