"""Optimises stellarator boundaries on Ray and scores them with the ConStellaration evaluator."""
